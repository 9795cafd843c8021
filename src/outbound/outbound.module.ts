import { Module } from '@nestjs/common';
import { OutboundLedger } from './outbound-ledger.js';
import { Outbound } from './outbound.js';

@Module({ providers: [Outbound, OutboundLedger], exports: [Outbound, OutboundLedger] })
export class OutboundModule {}
