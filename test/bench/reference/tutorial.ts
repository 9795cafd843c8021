// The stack a NestJS team ends up with by following the tutorials: POST → BullMQ on Redis → render → @nestjs-modules/mailer.
// It checks no signature, drops no duplicate, keeps no record and signs no link: it is the least that can be called a notifier.
//   RENDER=react       React Email rendered for each mail, HTML and text
//   RENDER=handlebars  the mailer's own Handlebars adapter at its fastest usual setting (no CSS inlining)
// PORT, SMTP_PORT and REDIS_PORT are all on 127.0.0.1. It answers GET /ready once it listens.
import 'reflect-metadata';
import { MailerModule, MailerService } from '@nestjs-modules/mailer';
import { HandlebarsAdapter } from '@nestjs-modules/mailer/adapters/handlebars.adapter';
import { BullModule, InjectQueue, Processor, WorkerHost } from '@nestjs/bullmq';
import { Body as JsonBody, Controller, Get, HttpCode, Inject, Module, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { Job, Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { createElement as h } from 'react';
import {
  Body,
  Button,
  Container,
  Head,
  Heading,
  Hr,
  Html,
  Img,
  Link,
  Preview,
  Section,
  Text,
  render,
} from 'react-email';

const { PORT, SMTP_PORT, REDIS_PORT, RENDER } = process.env;

interface TicketMail {
  n: number;
  name: string;
  subject: string;
  link: string;
  to: string;
}

const BUTTON = { background: '#000', color: '#fff', padding: '12px 20px' };

/** The same mail as templates/ticket.html. */
function Ticket({ n, name, subject, link }: TicketMail) {
  return h(
    Html,
    { lang: 'id' },
    h(Head),
    h(Preview, null, `Tiket ${n}`),
    h(
      Body,
      { style: { background: '#f6f6f6', fontFamily: 'sans-serif' } },
      h(
        Container,
        { style: { background: '#fff', padding: 24 } },
        h(Img, { src: 'https://support.example/logo.png', width: 120, alt: 'logo' }),
        h(Heading, null, `Tiket ${n}`),
        h(Text, null, `Halo ${name},`),
        h(Text, null, subject),
        h(Section, null, h(Button, { href: link, style: BUTTON }, 'Buka tiket')),
        h(Hr),
        h(Text, { style: { fontSize: 12 } }, 'no-reply'),
        h(Link, { href: 'https://support.example/help' }, 'Bantuan'),
      ),
    ),
  );
}

@Controller()
class EventsController {
  constructor(@InjectQueue('mail') private readonly queue: Queue) {}

  @Post('events')
  @HttpCode(202)
  async accept(@JsonBody() event: TicketMail) {
    await this.queue.add('mail', event, { attempts: 3, removeOnComplete: true });
    return { ok: true };
  }

  @Get('ready')
  ready() {
    return { ok: true };
  }
}

@Processor('mail', { concurrency: 20 })
class MailProcessor extends WorkerHost {
  constructor(@Inject(MailerService) private readonly mailer: MailerService) {
    super();
  }

  async process({ data }: Job<TicketMail>) {
    const envelope = { to: data.to, subject: `Tiket ${data.n}` };
    if (RENDER === 'handlebars') {
      const text = `Tiket ${data.n}: ${data.link}`;
      await this.mailer.sendMail({ ...envelope, template: 'ticket.html', context: data, text });
      return;
    }
    const mail = h(Ticket, data);
    const html = await render(mail);
    const text = await render(mail, { plainText: true });
    await this.mailer.sendMail({ ...envelope, html, text });
  }
}

@Module({
  imports: [
    BullModule.forRoot({ connection: new Redis({ port: Number(REDIS_PORT), maxRetriesPerRequest: null }) }),
    BullModule.registerQueue({ name: 'mail' }),
    MailerModule.forRoot({
      transport: { host: '127.0.0.1', port: Number(SMTP_PORT), pool: true, maxConnections: 10, ignoreTLS: true },
      defaults: { from: 'no-reply@support.example' },
      template: {
        dir: new URL('./templates', import.meta.url).pathname,
        adapter: new HandlebarsAdapter(undefined, { inlineCssEnabled: false }),
        options: { strict: false },
      },
    }),
  ],
  controllers: [EventsController],
  providers: [MailProcessor],
})
class TutorialModule {}

const app = await NestFactory.create(TutorialModule, { logger: ['error'] });
await app.listen(Number(PORT), '127.0.0.1');
