// For the TypeORM command line: npx typeorm migration:show -d dist/ormconfig.js (after npm run build).
import 'reflect-metadata';
import { DataSource } from 'typeorm';
import { loadConfig, readEnvFile } from './src/config.js';
import { entities } from './src/entities.js';
import { writerOptions } from './src/platform/database/data-source.js';

readEnvFile();
export default new DataSource(writerOptions(loadConfig().database, entities));
