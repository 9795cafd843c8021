import { createGatewayAndReceiver } from '../support/gateway-and-receiver.js';
import type { TestGateway } from '../support/gateway.js';
import type { Receiver } from '../support/receiver.js';
import { someDatabase } from '../support/some-database.js';
import { change } from '../support/tables.js';
import { askForCode, invite } from '../support/visit.js';
import { Guest } from '../support/guest.js';
import { generateWebhookSecret } from '../../src/platform/webhook-signature.js';

const token = 'metrics-token-of-at-least-32-signs-00001';

describe.each(someDatabase)('GET /metrics on $name', (database) => {
  let test: TestGateway;
  let source: Receiver;
  beforeAll(async () => {
    ({ test, source } = await createGatewayAndReceiver({ database, settings: { METRICS_TOKEN: token } }));
  });
  afterAll(() => test.close());

  const scrape = async () => {
    const answer = await fetch(`${test.url}/metrics`, { headers: { authorization: `Bearer ${token}` } });
    expect([answer.status, answer.headers.get('content-type')]).toEqual([
      200,
      'text/plain; version=0.0.4; charset=utf-8',
    ]);
    return answer.text();
  };
  /** The value of a series; labels in the order of the text. */
  const value = (text: string, series: string) =>
    Number(
      text
        .split('\n')
        .find((line) => line.startsWith(`${series} `))
        ?.split(' ')[1] ?? NaN,
    );

  it('counts what happened, without a person, an id or a link', async () => {
    source.answer = (_post, response) => void response.writeHead(410).end();
    const event = test.source.event('ticket.replied', {
      ticket: { id: 'm-1', number: '77001' },
      requester: { email: 'metric@example.com', locale: 'en' },
      message: {},
    });
    await test.source.post(event, { id: 'evt-metric' });
    await test.source.post(event, { id: 'evt-metric' });
    await test.source.post(event, { secret: generateWebhookSecret() });
    await test.drain();
    const guest = new Guest(test.url);
    const link = await invite(test, { email: 'metric@example.com' });
    const { page, code } = await askForCode(test, guest, link, 'metric@example.com');
    const wrong = await guest.submit(page, '/verify', {
      code: code === '00000000' ? '11111111' : '0'.repeat(code.length),
    });
    expect(wrong.status).toBe(422);
    await guest.submit(page, '/verify', { code });
    await test.drain();
    const text = await scrape();
    const series: [string, number][] = [
      ['postern_events_total{source="default",outcome="accepted",reason=""}', 2],
      ['postern_events_total{source="default",outcome="duplicate",reason=""}', 1],
      ['postern_events_total{source="default",outcome="refused",reason="bad-signature"}', 1],
      ['postern_attempts_total{transport="smtp",outcome="accepted"}', 3],
      ['postern_deliveries_total{lane="mail",state="sent"}', 2],
      ['postern_deliveries_total{lane="codes",state="sent"}', 1],
      ['postern_codes_total{outcome="sent"}', 1],
      ['postern_codes_total{outcome="wrong"}', 1],
      ['postern_codes_total{outcome="right"}', 1],
      ['postern_outbound_total{source="default",outcome="parked"}', 4],
      ['postern_parked{kind="outbound"}', 4],
      ['postern_lag_seconds{lane="mail"}', 0],
      ['postern_http_request_duration_seconds_count{method="POST",route="/v1/sources/:source/events",status="202"}', 2],
      ['postern_http_request_duration_seconds_count{method="POST",route="/t/:token/code",status="303"}', 1],
    ];
    for (const [name, expected] of series) expect([name, value(text, name)]).toEqual([name, expected]);
    expect(text).toContain('process_cpu_seconds_total');
    for (const secret of ['metric@example.com', 'example.com', link, '77001', 'tkt_', 'evt_', code])
      expect(text).not.toContain(secret);
  });

  it('says how long the first has waited, and how many do', async () => {
    for (const n of [1, 2, 3])
      await test.source.send('ticket.replied', {
        ticket: { id: `w-${n}`, number: `${n}` },
        requester: { email: `wait${n}@example.com` },
        message: {},
      });
    await test.drain();
    const due = test.clock.now();
    await change(
      test,
      `UPDATE deliveries SET state = 'queued', ended_at = NULL, next_attempt_at = ${due} WHERE recipient LIKE 'wait%'`,
    );
    test.clock.advance({ seconds: 42 });
    const text = await scrape();
    expect(value(text, 'postern_waiting{lane="mail",state="queued"}')).toBe(3);
    expect(value(text, 'postern_lag_seconds{lane="mail"}')).toBe(42);
    const ready = async () =>
      ((await (await fetch(`${test.url}/health/ready`)).json()) as { oldestWaitingSeconds: number })
        .oldestWaitingSeconds;
    expect(await ready()).toBe(42);
    await test.drain();
    test.clock.advance({ seconds: 3 }); // an answer is kept for two
    expect(value(await scrape(), 'postern_waiting{lane="mail",state="queued"}')).toBeNaN();
    expect(await ready()).toBe(0);
    // What is deferred, or held back, is not late: it is not due.
    const later = test.clock.now() + 3_600_000;
    await change(
      test,
      `UPDATE deliveries SET state = 'deferred', ended_at = NULL, next_attempt_at = ${later} WHERE recipient LIKE 'wait%'`,
    );
    test.clock.advance({ minutes: 50 });
    expect([await ready(), value(await scrape(), 'postern_lag_seconds{lane="mail"}')]).toEqual([0, 0]);
    test.clock.advance({ minutes: 11 });
    expect([await ready(), value(await scrape(), 'postern_lag_seconds{lane="mail"}')]).toEqual([60, 60]);
    await test.drain();
  });

  it('opens with its token alone', async () => {
    const status = async (headers: Record<string, string> = {}) =>
      (await fetch(`${test.url}/metrics`, { headers })).status;
    expect(await status()).toBe(401);
    expect(await status({ authorization: `Bearer ${token}x` })).toBe(401);
    await test.restart({ METRICS_TOKEN: '' });
    expect(await status()).toBe(200);
    for (const name of ['x-forwarded-for', 'forwarded', 'x-real-ip', 'via'])
      expect([name, await status({ [name]: '127.0.0.1' })]).toEqual([name, 404]);
  });
});
