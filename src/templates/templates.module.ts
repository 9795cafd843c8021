import { Module } from '@nestjs/common';
import { join } from 'node:path';
import { Config, packageRoot } from '../config.js';
import { TemplateCatalogue } from './catalogue.js';
import { PublishedWords } from './published.js';
import { Renditions } from './renditions.js';

export const templatesDir = join(packageRoot, 'templates');
export const shellsDir = join(packageRoot, 'dist', 'templates', 'shells');

@Module({
  providers: [
    {
      provide: TemplateCatalogue,
      inject: [Config],
      useFactory: ({ defaultLocale, publicUrl }: Config) =>
        TemplateCatalogue.load({ templatesDir, shellsDir, defaultLocale, allowHttp: publicUrl.startsWith('http:') }),
    },
    PublishedWords,
    Renditions,
  ],
  exports: [TemplateCatalogue, PublishedWords, Renditions],
})
export class TemplatesModule {}
