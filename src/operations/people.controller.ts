import { Controller, Delete, Get, Param, Query, Req, UseGuards } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { keyOf } from './admin.controller.js';
import { AdminGuard } from '../platform/admin.guard.js';
import { ADMIN, reasonOf } from '../platform/admin-request.js';
import { Erasure, type Erased } from './erasure.js';

/** What is kept of a person, and its end. */
@Controller('v1/admin/people')
@UseGuards(AdminGuard)
export class PeopleController {
  constructor(private readonly erasure: Erasure) {}

  /** How much there is; nothing is changed. */
  @Get(':address')
  count(@Param('address') address: string): Promise<Erased> {
    return this.erasure.count(keyOf(address));
  }

  /** Done when it is answered. Said twice it is done once. */
  @Delete(':address')
  erase(
    @Param('address') address: string,
    @Query('reason') reason: string | undefined,
    @Req() request: FastifyRequest,
  ): Promise<Erased> {
    return this.erasure.erase(keyOf(address), { actor: ADMIN, reason: reasonOf(reason, request) });
  }
}
