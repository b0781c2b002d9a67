// Pushes so many no-op jobs a second that say when they were pushed (Unix ms): node pace.js PORT FIRST COUNT PER_SECOND
// BYTES. Those that are due by then are pushed together. Prints how many a second it did, as JSON.
import { Queue } from "bullmq";
import { data } from "./job.js";

const [port, first, count, perSecond, bytes] = process.argv.slice(2).map(Number);
const queue = new Queue("noop", { connection: { host: "127.0.0.1", port } });
await queue.waitUntilReady();
const unixMs = () => performance.timeOrigin + performance.now();
const begin = performance.now();
for (let n = 0; n < count; ) {
  const due = Math.min(count, Math.floor(((performance.now() - begin) / 1000) * perSecond) + 1);
  if (due === n) {
    await new Promise((go) => setTimeout(go, 1));
    continue;
  }
  const stamp = `${unixMs()} `;
  const jobs = [];
  for (; n < due; n += 1) {
    const job = data(first + n, bytes);
    jobs.push({ name: "noop", data: { ...job, text: stamp + job.text.slice(stamp.length) } });
  }
  await queue.addBulk(jobs);
}
console.log(JSON.stringify({ rate: (count / (performance.now() - begin)) * 1000 }));
await queue.close();
