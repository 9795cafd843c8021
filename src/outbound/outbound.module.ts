import { Module } from '@nestjs/common';
import { OutboundDelivery } from './outbound-delivery.js';
import { OutboundLedger } from './outbound-ledger.js';
import { OutboundLines } from './outbound-lines.js';
import { Outbound } from './outbound.js';

@Module({
  providers: [Outbound, OutboundDelivery, OutboundLines, OutboundLedger],
  exports: [Outbound, OutboundLedger],
})
export class OutboundModule {}
