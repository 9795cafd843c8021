import { Module } from '@nestjs/common';
import { Codes } from './code.js';
import { Handoffs } from './handoff.js';
import { Links } from './link.js';
import { Sessions } from './session.js';

@Module({ providers: [Links, Codes, Sessions, Handoffs], exports: [Links, Codes, Sessions, Handoffs] })
export class AccessModule {}
