import type {
  MessageView,
  NoticeView,
  PageName,
  PageViews,
  ReplyView,
  SharedView,
  TicketView,
} from '../../src/portal/page-views.js';

/** Every guest page in every state, as the pages are given it: for whoever looks at them without a gateway. */
const NOW = new Date('2026-11-23T03:20:00Z');
export const shared = (more: Partial<SharedView> = {}): SharedView => ({
  brand: { name: 'Acme', accent: '#2453d6', accentDark: '#7d9dff', logo: null },
  assets: {
    style: '/assets/1/postern.css',
    script: '/assets/1/postern.js',
    icon: '/assets/1/favicon.svg',
    brandStyle: '/assets/brand/acme.css',
  },
  formToken: 'form-token-1',
  path: '/t/token?x=1',
  languageAction: '/t/token/language',
  helpHref: '/help',
  checkHref: '/check',
  now: NOW,
  timeZone: 'Asia/Jakarta',
  ...more,
});

export const message = (more: Partial<MessageView> = {}): MessageView => ({
  author: { name: 'Rina', kind: 'agent' },
  mine: false,
  at: new Date('2026-11-23T02:15:00Z'),
  bodyHtml: '<p>Mohon kirim <b>ID</b>.</p>',
  edited: false,
  retracted: false,
  attachments: [],
  state: null,
  ...more,
});

export const replyBox = (more: Partial<ReplyView> = {}): ReplyView => ({
  action: '/tickets/tkt_1/replies',
  formKey: 'key-1',
  body: '',
  errors: [],
  accept: '.pdf,.png',
  maxFiles: 5,
  maxFileBytes: 10 * 1024 * 1024,
  maxTotalBytes: 25 * 1024 * 1024,
  ...more,
});

export const ticket = (more: Partial<TicketView> = {}): TicketView => ({
  number: '12345',
  subject: 'Penarikan tertunda',
  status: 'open',
  messages: [
    message({ mine: true, state: 'delivered' }),
    message({ author: { name: null, kind: 'system' } }),
    message(),
  ],
  reply: replyBox(),
  logoutAction: '/tickets/tkt_1/logout',
  ...more,
});

export const landing = { ticketNumber: '12345', maskedAddress: 's***i@e***.com', sendAction: '/t/token/code' };
export const code = {
  ticketNumber: '12345',
  maskedAddress: 's***i@e***.com',
  reference: 'K7P',
  verifyAction: '/t/token/verify',
  resendAction: '/t/token/code',
  resendInSeconds: 42.4,
  expiresAt: new Date('2026-11-23T03:29:30Z'),
};

export const notices: NoticeView[] = [
  ...(['not-found', 'session-ended', 'too-many-tries', 'logged-out', 'stopped', 'home'] as const).map((kind) => ({
    kind,
  })),
  ...(['expired', 'code-dead', 'ask-not-mine', 'ask-stop'] as const).map((kind) => ({
    kind,
    action: '/t/token/again',
  })),
  ...(['ticket-closed', 'cookies-off', 'form-refused', 'too-large', 'file-gone', 'unavailable'] as const).map(
    (kind) => ({
      kind,
      href: '/tickets/tkt_1',
    }),
  ),
  ...(['renewed', 'unreachable'] as const).map((kind) => ({ kind, maskedAddress: 's***i@e***.com' })),
  { kind: 'not-mine', maskedAddress: 's***i@e***.com', action: '/t/token/code' },
  ...(['wait', 'send-wait'] as const).map((kind) => ({ kind, seconds: 2400, href: '/t/token/code' })),
  { kind: 'guess-wait', seconds: 20 },
  { kind: 'renew-wait', seconds: 40_000 },
  ...(['confirmed', 'resume-wait'] as const).map((kind) => ({ kind, seconds: 9000, href: '/tickets/tkt_1' })),
  { kind: 'error', errorId: 'err_1', href: '/' },
];

export type Sample = { [K in PageName]: [name: string, page: K, view: PageViews[K]] }[PageName];
export const attachments = [
  {
    name: 'form.pdf',
    size: 18233,
    href: '/tickets/tkt_1/attachments/1',
    contentType: 'application/pdf',
    preview: null,
  },
];
export const samples: Sample[] = [
  ['landing', 'landing', landing],
  ['landing with ways out', 'landing', { ...landing, notMineAction: '/t/token/not-mine', stopAction: '/t/token/stop' }],
  ['code', 'code', code],
  ['code, expiry unknown', 'code', { ...code, expiresAt: null }],
  ...(['sent', 'already-sent'] as const).map((notice): Sample => [`code, ${notice}`, 'code', { ...code, notice }]),
  ['code, wrong', 'code', { ...code, error: 'wrong', triesLeft: 3 }],
  ['code, malformed', 'code', { ...code, error: 'malformed' }],
  ...(['open', 'pending', 'resolved'] as const).map((status): Sample => [
    `ticket, ${status}`,
    'ticket',
    ticket({ status }),
  ]),
  ['ticket, mails off', 'ticket', ticket({ resumeAction: '/tickets/tkt_1/resume' })],
  ['ticket, solved?', 'ticket', ticket({ status: 'resolved', solvedAction: '/tickets/tkt_1/solved' })],
  ['ticket, closed', 'ticket', ticket({ status: 'closed', reply: null })],
  [
    'print',
    'print',
    {
      number: '12345',
      subject: null,
      status: 'open',
      messages: [message({ attachments, edited: true }), message({ mine: true, state: 'delivered' })],
      backHref: '/tickets/tkt_1',
    },
  ],
  ['ticket, empty', 'ticket', ticket({ messages: [], subject: null })],
  [
    'ticket, long',
    'ticket',
    ticket({ messages: Array.from({ length: 30 }, () => message({ attachments, edited: true })) }),
  ],
  ...(['reply-sent', 'mails-on', 'solved', 'unsolved'] as const).map((flash): Sample => [
    `ticket, ${flash}`,
    'ticket',
    ticket({ flash }),
  ]),
  ...(['sending', 'delivered', 'failed'] as const).map((state): Sample => [
    `ticket, ${state}`,
    'ticket',
    ticket({ messages: [message({ mine: true, state })] }),
  ]),
  ['ticket, withdrawn', 'ticket', ticket({ messages: [message({ retracted: true })] })],
  [
    'ticket, errors',
    'ticket',
    ticket({
      reply: replyBox({
        body: 'Halo',
        errors: [
          { field: 'files', text: 'Too large.' },
          { field: 'body', text: 'Too long.' },
        ],
      }),
    }),
  ],
  ...notices.map((view): Sample => [`notice, ${view.kind}`, 'notice', view]),
  ['help', 'help', {}],
  ['check', 'check', { typed: '' }],
  ['check, malformed', 'check', { typed: '7QK3', error: 'malformed' }],
  ['check, unknown', 'check', { typed: '7QK3-M8WD-2XHVA', answer: 'unknown' }],
  [
    'check, ours',
    'check',
    {
      typed: '7QK3-M8WD-2XHVA',
      answer: 'ours',
      mail: { ticketNumber: '12345', maskedAddress: 's***i@e***.com', sentAt: NOW },
    },
  ],
];
