import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { constants, gzipSync } from 'node:zlib';

import { defineConfig } from 'vite';

/** The server that `make web` takes the API from while the page is worked on. */
const SERVER = process.env.AFTERIMAGE_SERVER ?? 'http://127.0.0.1:8765';

/** Write a compressed copy beside every file, so that the server need not compress at each request. */
function compress() {
  return {
    name: 'compress',
    writeBundle(options) {
      const folder = join(options.dir, 'assets');
      for (const name of readdirSync(folder)) {
        const level = constants.Z_BEST_COMPRESSION;
        writeFileSync(join(folder, `${name}.gz`), gzipSync(readFileSync(join(folder, name)), { level }));
      }
    },
  };
}

export default defineConfig({
  build: { outDir: 'dist', assetsInlineLimit: 0, target: 'es2022', modulePreload: { polyfill: false } },
  plugins: [compress()],
  server: { proxy: { '/v1': SERVER, '/readyz': SERVER } },
});
