import { generateWebhookSecret } from '../../src/platform/webhook-signature.js';
import { createGateway, type TestGateway, type TestGatewayOptions } from './gateway.js';
import { startReceiver, type Receiver } from './receiver.js';

/** A gateway whose source hears of everything. Its `close` closes both. */
export async function createGatewayAndReceiver(
  options: TestGatewayOptions = {},
): Promise<{ test: TestGateway; source: Receiver }> {
  const source = await startReceiver();
  const outbound = { OUTBOUND_URL: source.url, OUTBOUND_SECRET: generateWebhookSecret() };
  const test = await createGateway({ ...options, settings: { ...outbound, ...options.settings } });
  const close = test.close.bind(test);
  test.close = async () => {
    await close();
    await source.close();
  };
  return { test, source };
}
