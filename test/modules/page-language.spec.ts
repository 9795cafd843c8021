import { createGateway, type TestGateway } from '../support/gateway.js';

describe('the language of a page', () => {
  let test: TestGateway;
  beforeAll(async () => {
    test = await createGateway();
  });
  afterAll(() => test.close());

  it.each([
    ['id', 'id'],
    ['id-ID,id;q=0.9,en;q=0.8', 'id'],
    ['nb-NO, nb;q=0.9, in;q=0.5, en;q=0.1', 'id'],
    ['id;q=0.2, en-GB;q=0.9', 'en'],
    ['id;q=0', 'en'],
    ['tlh, *', 'en'],
    ['<script>, ../id', 'en'],
    ['', 'en'],
  ])('is, for a browser that accepts %j, %s', async (accepted, locale) => {
    const answer = await fetch(`${test.url}/help`, { headers: { 'accept-language': accepted } });
    expect(answer.headers.get('content-language')).toBe(locale);
    expect(answer.headers.get('vary')).toContain('accept-language');
    expect(await answer.text()).toContain(`<html lang="${locale}" dir="ltr">`);
  });

  it('is the one that was chosen, before all that the browser accepts', async () => {
    const answer = await fetch(`${test.url}/help?lang=id-ID`, { headers: { 'accept-language': 'en' } });
    expect(answer.headers.get('content-language')).toBe('id');
  });
});
