// Begins what makes a page live. Every part of a page works without any of this.
import { keepTimes } from "./times.js";
import { openKeys } from "./keys.js";
import { followPage } from "./live.js";
import { openForms } from "./forms.js";
import { openCharts } from "./charts.js";

document.documentElement.classList.add("has-script");
keepTimes();
openKeys();
openForms();
openCharts();
followPage();
document.querySelector(".nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
