import { Module } from '@nestjs/common';
import { DeliveryModule } from '../delivery/delivery.module.js';
import { PortalModule } from '../portal/portal.module.js';
import { TemplatesModule } from '../templates/templates.module.js';
import { BrandsController } from './brands.controller.js';
import { Challenges } from './challenges.js';
import { Enrolment } from './enrolment.js';
import { Invitations } from './invitations.js';
import { OidcSignIn } from './oidc.js';
import { Passkeys } from './passkeys.js';
import { PeopleController } from './people.controller.js';
import { People } from './people.js';
import { Previews } from './previews.js';
import { SignInController } from './sign-in.controller.js';
import { StudioGuard } from './studio.guard.js';
import { StudioPagesController } from './studio-pages.controller.js';
import { StudioSessions } from './studio-session.js';
import { WordsBoard } from './words-board.js';
import { WordsController } from './words.controller.js';
import { WordsDesk } from './words-desk.js';
import { WordsExchange } from './words-exchange.js';

@Module({
  imports: [TemplatesModule, DeliveryModule, PortalModule],
  controllers: [SignInController, PeopleController, BrandsController, WordsController, StudioPagesController],
  providers: [
    ...[People, Invitations, Enrolment, Passkeys, Challenges, OidcSignIn, StudioSessions, StudioGuard],
    ...[WordsDesk, WordsBoard, Previews, WordsExchange],
  ],
})
export class StudioModule {}
