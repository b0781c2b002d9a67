// Works on no-op jobs: node worker.js PORT SLOTS JOBS WARM_UP [WORK_MS]; each waits so long as for something that is far
// away. Tells on the file descriptor BENCH_PIPE `ready`, then
// `warm` when the warm-up jobs (those numbered from JOBS on) are done, and when all are done a line of JSON: when the
// first and the last job completed (Unix ms), how many different jobs ran, and how often the one that ran most.
import { writeSync } from "node:fs";
import { Worker } from "bullmq";

const [port, slots, jobs, warmUp, workMs = 0] = process.argv.slice(2).map(Number);
const seen = new Uint8Array(jobs);
const tell = (line) => writeSync(Number(process.env.BENCH_PIPE), `${line}\n`);
const unixMs = () => performance.timeOrigin + performance.now();
const waits = [];
let [done, warm, first, last] = [0, 0, 0, 0];

const worker = new Worker(
  "noop",
  async (job) => {
    if (job.data.n < jobs) {
      seen[job.data.n] += 1;
      if (job.data.text[0] !== "x") waits.push(unixMs() - parseFloat(job.data.text));
    }
    if (workMs) await new Promise((go) => setTimeout(go, workMs));
  },
  // What is kept of finished jobs: the last thousand.
  { connection: { host: "127.0.0.1", port }, concurrency: slots, removeOnComplete: { count: 1000 } },
);

worker.on("completed", (job) => {
  if (job.data.n >= jobs) {
    warm += 1;
    if (warm === warmUp) tell("warm");
    return;
  }
  last = unixMs();
  first ||= last;
  done += 1;
  if (done === jobs) {
    const distinct = seen.reduce((sum, times) => sum + (times > 0), 0);
    const most = seen.reduce((a, b) => Math.max(a, b), 0);
    tell(JSON.stringify({ first, last, distinct, most, ...quantiles() }));
  }
});
const quantiles = () => {
  if (waits.length < 2) return {};
  waits.sort((a, b) => a - b);
  const at = (part) => waits[Math.round((waits.length - 1) * part)] * 1000;
  return { p50_us: at(0.5), p99_us: at(0.99) };
};
worker.on("error", (error) => console.error(error));
process.on("SIGTERM", async () => {
  await worker.close();
  process.exit(0);
});
await worker.waitUntilReady();
tell("ready");
