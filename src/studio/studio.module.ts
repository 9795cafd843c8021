import { Module } from '@nestjs/common';
import { DeliveryModule } from '../delivery/delivery.module.js';
import { TemplatesModule } from '../templates/templates.module.js';
import { BrandsController } from './brands.controller.js';
import { Challenges } from './challenges.js';
import { Invitations } from './invitations.js';
import { OidcSignIn } from './oidc.js';
import { Passkeys } from './passkeys.js';
import { PeopleController } from './people.controller.js';
import { People } from './people.js';
import { SignInController } from './sign-in.controller.js';
import { StudioGuard } from './studio.guard.js';
import { StudioPagesController } from './studio-pages.controller.js';
import { StudioSessions } from './studio-session.js';

@Module({
  imports: [TemplatesModule, DeliveryModule],
  controllers: [SignInController, PeopleController, BrandsController, StudioPagesController],
  providers: [People, Invitations, Passkeys, Challenges, OidcSignIn, StudioSessions, StudioGuard],
})
export class StudioModule {}
