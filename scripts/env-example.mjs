// Writes .env.example from the table of settings in src/config.ts.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const { envExample } = await import('../dist/src/config.js');
writeFileSync(join(root, '.env.example'), envExample());
console.log('  wrote .env.example');
