// Fetches and packs a timeline away from the page's own thread.
import { buffers, pack } from "./pack.js";

addEventListener("message", async ({ data: { url, headers } }) => {
  try {
    const response = await fetch(url, { headers, credentials: "same-origin" });
    if (!response.ok) {
      const problem = await response.json().catch(() => ({}));
      postMessage({
        failed: problem.detail || problem.title || `The server answered ${response.status}.`,
        status: response.status,
      });
      return;
    }
    const packed = pack(await response.json());
    postMessage({ packed }, buffers(packed));
  } catch (error) {
    postMessage({ failed: error.message, status: 0 });
  }
});
