import type { Delivery, Update } from '../../src/delivery/delivery.entity.js';
import { templateFor, tellOnly } from '../../src/delivery/telling.js';

const update = (n: number, templateKey: Update['templateKey']): Update => ({
  eventId: `evt_${n}`,
  templateKey,
  occurredAt: n,
  messageId: null,
  status: null,
});
const updates = [update(1, 'ticket-replied'), update(3, 'ticket-replied'), update(2, 'ticket-resolved')];
const delivery = {
  id: 'dlv_1',
  templateKey: 'ticket-summary',
  templateRevision: 'summary',
  locale: 'id',
  localeReason: 'language',
  inputs: { ticketNumber: '12345', occurredAt: 3, updates },
} as unknown as Delivery;
const catalogue = {
  // English alone has words for what was resolved.
  resolveLocale: (wanted: string | null, key?: string) => ({
    locale: key === 'ticket-resolved' ? 'en' : wanted!,
    reason: key === 'ticket-resolved' ? ('default' as const) : ('exact' as const),
  }),
  revision: (key: string, locale: string) => `${key}/${locale}`,
};

describe('telling only what still stands', () => {
  it('leaves a mail alone whose updates all stand', () =>
    expect(tellOnly(delivery, [...updates], catalogue)).toBe(delivery));

  it('is a summary of those that are left', () =>
    expect(tellOnly(delivery, [updates[0]!, updates[2]!], catalogue)).toEqual({
      ...delivery,
      templateRevision: 'ticket-summary/id',
      inputs: { ...delivery.inputs, occurredAt: 2, updates: [updates[0], updates[2]] },
    }));

  it("is the last one's own mail, in a language that has words for it", () =>
    expect(tellOnly(delivery, [updates[2]!], catalogue)).toMatchObject({
      id: 'dlv_1',
      templateKey: 'ticket-resolved',
      locale: 'en',
      localeReason: 'default',
      templateRevision: 'ticket-resolved/en',
      inputs: { occurredAt: 2, updates: [updates[2]] },
    }));

  it('says one update in its own words and several in a summary', () => {
    expect(templateFor([updates[2]!])).toBe('ticket-resolved');
    expect(templateFor(updates)).toBe('ticket-summary');
  });
});
