import { Controller, Get, Header } from '@nestjs/common';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Config, packageRoot } from '../config.js';
import { API_STYLE, apiPage } from './api-page.js';
import { openApi } from './openapi.js';

const KEPT = 'public, max-age=300';

/** The API described, for programs and for people. */
@Controller()
export class DocsController {
  private readonly document: string;
  private readonly page: string;

  constructor({ publicUrl }: Config) {
    const { version } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { version: string };
    const described = openApi(publicUrl, version);
    this.document = JSON.stringify(described);
    this.page = apiPage(described, '/docs/style.css');
  }

  @Get('openapi.json')
  @Header('content-type', 'application/json; charset=utf-8')
  @Header('cache-control', KEPT)
  describe(): string {
    return this.document;
  }

  @Get('docs')
  @Header('content-type', 'text/html; charset=utf-8')
  @Header('cache-control', KEPT)
  show(): string {
    return this.page;
  }

  @Get('docs/style.css')
  @Header('content-type', 'text/css; charset=utf-8')
  @Header('cache-control', KEPT)
  style(): string {
    return API_STYLE;
  }
}
