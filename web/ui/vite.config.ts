import preact from '@preact/preset-vite'
import { defineConfig } from 'vite'

// The output is committed and embedded in the server, and it is served under a
// policy without inline script, style or data: URLs. Hence no inlined assets and
// no module preload polyfill; hashed names, so that assets can be cached for ever.
export default defineConfig({
  base: '/',
  plugins: [preact({ devToolsEnabled: false, prefreshEnabled: false })],
  build: {
    target: 'es2022',
    outDir: '../dist',
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    sourcemap: false,
    reportCompressedSize: true,
  },
  server: {
    proxy: { '/api': { target: 'http://localhost:8080', ws: true } },
  },
})
