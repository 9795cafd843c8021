import type { FastifyInstance, FastifyRequest } from 'fastify';
import { randomToken } from '../platform/crypto.js';

const nonces = new WeakMap<FastifyRequest, string>();

/**
 * What every answer under `/studio` says of itself, pages, files, errors and what is not there alike. A page hands its
 * nonce to the editor (`EditorView.cspNonce`), whose style sheets are made in the browser, and to the `<style>` of a
 * preview; nothing else is inline.
 */
export function addStudioHeaders(server: FastifyInstance): void {
  server.addHook('onRequest', (request, reply, done) => {
    if (isOfStudio(request.url))
      void reply.headers({
        'content-security-policy': policy(nonceOf(request)),
        'cache-control': 'no-store',
        // Stricter than for guests: no address of the studio is told to anybody, and no other window may hold it.
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-resource-policy': 'same-origin',
        'permissions-policy': 'publickey-credentials-get=(self), publickey-credentials-create=(self)',
      });
    done();
  });
}

/** For `<style nonce>` in the page that answers this request; of no use for scripts. */
export function nonceOf(request: FastifyRequest): string {
  const known = nonces.get(request);
  if (known !== undefined) return known;
  const nonce = randomToken(16);
  nonces.set(request, nonce);
  return nonce;
}

function isOfStudio(url: string): boolean {
  return /^\/+studio(?:[/?#]|$)/i.test(url);
}

function policy(nonce: string): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    `style-src 'self' 'nonce-${nonce}'`,
    // A preview, made by `srcdoc`, has this policy too: the front end makes rules of its `style` attributes.
    "img-src 'self' data: blob:",
    "font-src 'self'",
    "connect-src 'self'",
    "frame-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}
