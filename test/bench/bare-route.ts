// What intake is measured against: a Nest route on the same adapter that verifies the signature over the raw bytes and
// nothing more. PORT and SOURCE_SECRET come by environment; it answers GET /health/ready once it listens.
import 'reflect-metadata';
import { Controller, Get, HttpCode, Module, Post, Req } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyRequest } from 'fastify';
import { verifyWebhook } from '../../src/platform/webhook-signature.js';

const secrets = [process.env.SOURCE_SECRET!];

@Controller()
class BareController {
  @Post('v1/sources/default/events')
  @HttpCode(202)
  receive(@Req() { headers, body }: FastifyRequest): { ok: boolean } {
    const { ok } = verifyWebhook({ secrets, headers, rawBody: body as Buffer, now: Date.now() });
    if (!ok) throw new Error('the signature is wrong');
    return { ok };
  }

  @Get('health/ready')
  ready(): { ok: true } {
    return { ok: true };
  }
}

@Module({ controllers: [BareController] })
class BareModule {}

const adapter = new FastifyAdapter();
const app = await NestFactory.create<NestFastifyApplication>(BareModule, adapter, {
  logger: ['error'],
  bodyParser: false,
});
const fastify = adapter.getInstance();
fastify.removeAllContentTypeParsers();
fastify.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
await app.listen(Number(process.env.PORT), '127.0.0.1');
