import { shownPath } from '../../src/portal/shown-path.js';

describe('the path that shows a page again', () => {
  it.each([
    ['GET', '/t/abc', '/t/abc'],
    ['GET', '/t/abc/code?again=1', '/t/abc/code'],
    ['POST', '/t/abc/code', '/t/abc'],
    ['POST', '/t/abc/verify', '/t/abc/code'],
    ['POST', '/t/abc/renew', '/t/abc'],
    ['POST', '/t/abc/language', '/t/abc'],
    ['POST', '/t/abc/stop', '/t/abc/stop'],
    ['POST', '/t/abc/not-mine', '/t/abc/not-mine'],
    ['POST', '/language', '/'],
    ['POST', '/check', '/check'],
    ['POST', '/tickets/tkt_1/replies', '/tickets/tkt_1'],
    ['POST', '/tickets/tkt_1/files/remove', '/tickets/tkt_1'],
    ['POST', '/tickets/tkt_1/language', '/tickets/tkt_1'],
    ['GET', '/tickets/tkt_1/attachments/att_1', '/tickets/tkt_1'],
    ['GET', '/tickets/tkt_1?before=7&mails=on', '/tickets/tkt_1?before=7'],
    ['GET', '/tickets/tkt_1?print=1', '/tickets/tkt_1?print=1'],
  ])('of %s %s is %s', (method, url, path) => expect(shownPath({ method, url })).toBe(path));
});
