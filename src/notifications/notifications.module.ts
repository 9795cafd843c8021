import { Module } from '@nestjs/common';
import { DeliveryModule } from '../delivery/delivery.module.js';
import { Planner } from './planner.js';

@Module({ imports: [DeliveryModule], providers: [Planner], exports: [Planner] })
export class NotificationsModule {}
