import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Config } from '../config.js';
import { checkBearer } from './bearer.js';

/** Lets the holder of `ADMIN_TOKEN` in; without that setting there is nothing here. No answer is kept by anybody. */
@Injectable()
export class AdminGuard implements CanActivate {
  constructor(private readonly config: Config) {}

  canActivate(context: ExecutionContext): boolean {
    const http = context.switchToHttp();
    checkBearer(http.getRequest<FastifyRequest>().headers.authorization, this.config.adminToken);
    void http.getResponse<FastifyReply>().header('cache-control', 'no-store');
    return true;
  }
}
