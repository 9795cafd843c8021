import { Module } from '@nestjs/common';
import { Codes } from './code.js';
import { Links } from './link.js';
import { Sessions } from './session.js';

@Module({ providers: [Links, Codes, Sessions], exports: [Links, Codes, Sessions] })
export class AccessModule {}
