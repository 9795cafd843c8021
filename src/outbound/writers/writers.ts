import type { WriterName } from '../../sources.js';
import { freshdesk } from './freshdesk.js';
import { jira } from './jira.js';
import type { ReplyWriter } from './writer.js';
import { zammad } from './zammad.js';
import { zendesk } from './zendesk.js';

export const writers: Readonly<Record<WriterName, ReplyWriter>> = { zendesk, zammad, freshdesk, jira };
