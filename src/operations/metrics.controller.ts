import { Controller, Get, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Config } from '../config.js';
import { PosternError } from '../errors.js';
import { checkBearer } from '../platform/bearer.js';
import { Metrics, METRICS_TYPE } from '../platform/metrics.js';
import { Backlog } from './backlog.js';

/** Headers by which a proxy says that somebody else asks. */
const FORWARDED = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'];

/** For Prometheus: by `METRICS_TOKEN`, and without that setting from this machine alone. */
@Controller('metrics')
export class MetricsController {
  constructor(
    private readonly config: Config,
    private readonly metrics: Metrics,
    private readonly backlog: Backlog,
  ) {}

  @Get()
  async show(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    this.check(request);
    const text = `${await this.metrics.text()}\n${await this.backlog.text()}`;
    await reply.status(200).header('content-type', METRICS_TYPE).header('cache-control', 'no-store').send(text);
  }

  private check({ headers, socket }: FastifyRequest): void {
    if (this.config.metricsToken !== null) return checkBearer(headers.authorization, this.config.metricsToken);
    const isHere = /^(::ffff:)?127\.|^::1$/.test(socket.remoteAddress ?? '');
    if (!isHere || FORWARDED.some((name) => headers[name] !== undefined))
      throw new PosternError('not-found', 'There is nothing at this address.');
  }
}
