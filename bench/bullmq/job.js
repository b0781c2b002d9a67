// Makes the data of a no-op job: its number, and text that makes it as long as asked for.
export const data = (n, bytes) => {
  const bare = JSON.stringify({ data: { n, text: "" } }).length;
  return { n, text: "x".repeat(bytes - bare) };
};
