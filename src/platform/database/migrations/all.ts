import { FirstTables1795392000000 } from './1795392000000-first-tables.js';
import { DeliveryEngine1795478400000 } from './1795478400000-delivery-engine.js';
import { Breakers1795500000000 } from './1795500000000-breakers.js';
import { Feedback1795510000000 } from './1795510000000-feedback.js';
import { WaitingMails1795520000000 } from './1795520000000-waiting-mails.js';
import { WhoMayComeIn1795610000000 } from './1795610000000-who-may-come-in.js';
import { TicketVisits1795620000000 } from './1795620000000-ticket-visits.js';
import { ChecksAndPreviews1795630000000 } from './1795630000000-checks-and-previews.js';
import { Handoffs1795640000000 } from './1795640000000-handoffs.js';
import { LanguageChoices1795650000000 } from './1795650000000-language-choices.js';
import { WaitingEvents1795680000000 } from './1795680000000-waiting-events.js';
import { PausedSources1795700000000 } from './1795700000000-paused-sources.js';
import { WordsInTheStudio1795710000000 } from './1795710000000-words-in-the-studio.js';
import { PeopleOfTheStudio1795720000000 } from './1795720000000-people-of-the-studio.js';
import { TakenUpAgain1795730000000 } from './1795730000000-taken-up-again.js';
import { Forgetting1795740000000 } from './1795740000000-forgetting.js';
import { OutboundBySource1795750000000 } from './1795750000000-outbound-by-source.js';
import { AuthorsOfDrafts1795760000000 } from './1795760000000-authors-of-drafts.js';
import { RenditionsInUse1795770000000 } from './1795770000000-renditions-in-use.js';
import { WhatBecameOfEvents1795771000000 } from './1795771000000-what-became-of-events.js';
import { PasskeysAndLogos1795773000000 } from './1795773000000-passkeys-and-logos.js';

/** In order. A landed migration is never changed: the next one is added. */
export const migrations = [
  FirstTables1795392000000,
  DeliveryEngine1795478400000,
  Breakers1795500000000,
  Feedback1795510000000,
  WaitingMails1795520000000,
  WhoMayComeIn1795610000000,
  TicketVisits1795620000000,
  ChecksAndPreviews1795630000000,
  Handoffs1795640000000,
  LanguageChoices1795650000000,
  WaitingEvents1795680000000,
  PausedSources1795700000000,
  WordsInTheStudio1795710000000,
  PeopleOfTheStudio1795720000000,
  TakenUpAgain1795730000000,
  Forgetting1795740000000,
  OutboundBySource1795750000000,
  AuthorsOfDrafts1795760000000,
  RenditionsInUse1795770000000,
  WhatBecameOfEvents1795771000000,
  PasskeysAndLogos1795773000000,
];
