import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';
import { bothLoopbacks } from './vite.loopback.ts';

const api = process.env.API_BASE_URL || 'http://127.0.0.1:8000';

const address = {
  // Loopback only: `host: true` would offer the app to the whole network. bothLoopbacks() adds ::1.
  host: '127.0.0.1',
  port: 5173,
  strictPort: true,
  proxy: {
    '/v1': api,
    '/health': api,
    '/docs': api,
    '/openapi.json': api,
    '/dev': api,
  },
};

export default defineConfig({
  plugins: [react(), bothLoopbacks()],
  server: address, // of `make dev`: from the sources
  preview: address, // of `make run`: as it was built
  build: {
    chunkSizeWarningLimit: 600, // kB; all libraries are 533, 165 as they are sent
    // Libraries change less often than the app; kept apart they stay in the browser's cache over releases.
    rolldownOptions: { output: { codeSplitting: { groups: [{ name: 'libraries', test: /node_modules/ }] } } },
  },
  test: {
    environment: 'jsdom',
    include: ['src/**/*.test.{ts,tsx}', 'vite.*.test.ts'],
    setupFiles: ['src/test/setup.ts'],
    // The test of the colours reads them where they are written; other style sheets are left out.
    css: { include: [/tokens\.css/] },
    // A page drawn on a busy machine takes seconds; what hangs is still told.
    testTimeout: 30_000,
    maxWorkers: 2, // also on two cores, where one would be kept for the runner, which has little to do
    isolate: false,
    restoreMocks: true,
    unstubGlobals: true,
  },
});
