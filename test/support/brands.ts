import type { Config } from '../../src/config.js';
import type { Database } from '../../src/platform/database/database.js';
import { Logger } from '../../src/platform/logger.js';
import { Brands } from '../../src/templates/brands.js';
import { templatesDir } from '../../src/templates/templates.module.js';
import { TestClock } from './clock.js';

/** Brands as they are shipped; nobody has edited one. */
export function shippedBrands(config: Pick<Config, 'sources'>): Brands {
  const database = {} as Database; // asked for editions only
  return new Brands(templatesDir, config, database, new TestClock(), new Logger('silent'));
}
