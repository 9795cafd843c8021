import { Module } from '@nestjs/common';
import { join } from 'node:path';
import { Config, packageRoot } from '../config.js';
import { Clock } from '../platform/clock.js';
import { Database } from '../platform/database/database.js';
import { Logger } from '../platform/logger.js';
import { Brands } from './brands.js';
import { TemplateCatalogue } from './catalogue.js';

export const templatesDir = join(packageRoot, 'templates');
const shellsDir = join(packageRoot, 'dist', 'templates', 'shells');

@Module({
  providers: [
    {
      provide: Brands,
      inject: [Config, Database, Clock, Logger],
      useFactory: (config: Config, database: Database, clock: Clock, logger: Logger) =>
        new Brands(templatesDir, config, database, clock, logger),
    },
    {
      provide: TemplateCatalogue,
      inject: [Config],
      useFactory: ({ defaultLocale, publicUrl }: Config) =>
        TemplateCatalogue.load({ templatesDir, shellsDir, defaultLocale, allowHttp: publicUrl.startsWith('http:') }),
    },
  ],
  exports: [Brands, TemplateCatalogue],
})
export class TemplatesModule {}
