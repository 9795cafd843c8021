import { FirstTables1795392000000 } from './1795392000000-first-tables.js';

/** In order. A landed migration is never changed: the next one is added. */
export const migrations = [FirstTables1795392000000];
