import preact from '@preact/preset-vite'
import { defineConfig } from 'vite'

// Serves the scenes: npx vite test/demo --config test/demo/vite.config.ts
export default defineConfig({
  plugins: [preact({ devToolsEnabled: false, prefreshEnabled: false })],
})
