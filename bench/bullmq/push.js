// Pushes no-op jobs by bulk, then ends: node push.js PORT FIRST COUNT BYTES. With COUNT 0 it only resumes the queue;
// else the queue is paused first if FIRST is 0, so that the worker begins with all jobs there.
import { Queue } from "bullmq";
import { data } from "./job.js";

const [port, first, count, bytes] = process.argv.slice(2).map(Number);
const queue = new Queue("noop", { connection: { host: "127.0.0.1", port } });
await queue.waitUntilReady();
if (count === 0) {
  await queue.resume();
} else if (first === 0) {
  await queue.pause();
}
for (let at = first; at < first + count; at += 1000) {
  const jobs = [];
  for (let n = at; n < Math.min(at + 1000, first + count); n += 1) {
    jobs.push({ name: "noop", data: data(n, bytes) });
  }
  await queue.addBulk(jobs);
}
await queue.close();
