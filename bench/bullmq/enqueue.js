// Pushes no-op jobs one by one, and then as many by bulks of a thousand: node enqueue.js PORT COUNT BYTES. Prints the
// rates (jobs a second) as JSON; a hundred jobs are pushed before, uncounted.
import { Queue } from "bullmq";
import { data } from "./job.js";

const [port, count, bytes] = process.argv.slice(2).map(Number);
const queue = new Queue("noop", { connection: { host: "127.0.0.1", port } });
await queue.waitUntilReady();

const single = async (many) => {
  for (let n = 0; n < many; n += 1) await queue.add("noop", data(n, bytes));
};
const bulk = async (many) => {
  for (let at = 0; at < many; at += 1000) {
    const length = Math.min(1000, many - at);
    await queue.addBulk(Array.from({ length }, (_, n) => ({ name: "noop", data: data(at + n, bytes) })));
  }
};
const rate = async (push) => {
  await push(100);
  const begin = performance.now();
  await push(count);
  return (count / (performance.now() - begin)) * 1000;
};
console.log(JSON.stringify({ single: await rate(single), bulk: await rate(bulk) }));
await queue.close();
