import { defineConfig } from "vite";

// Everything is a file of its own origin, so that the page runs under a strict Content-Security-Policy.
export default defineConfig({
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // The live page, and the page that scores rows with anybody's module.
    rollupOptions: { input: ["index.html", "score.html"] },
  },
  worker: { format: "es" },
});
