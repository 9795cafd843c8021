import type { AdapterName } from '../../sources.js';
import type { SourceAdapter } from './adapter.js';
import { cloudevents } from './cloudevents.js';
import { freshdesk } from './freshdesk.js';
import { jira } from './jira.js';
import { mapping } from './mapping.js';
import { standard } from './standard.js';
import { zammad } from './zammad.js';
import { zendesk } from './zendesk.js';

/** Every ticket system that Postern understands, by its name in the sources file. */
export const adapters: Readonly<Record<AdapterName, SourceAdapter>> = {
  standard,
  cloudevents,
  zendesk,
  zammad,
  freshdesk,
  jira,
  mapping,
};
