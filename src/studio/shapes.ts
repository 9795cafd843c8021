import { z } from 'zod';
import { parseAddress } from '../platform/address.js';
import { isOneLine } from '../platform/one-line.js';

export const emailShape = z
  .string()
  .max(254)
  .refine((text) => parseAddress(text, { allowLocalhost: true }).ok, 'must be an e-mail address');
export const nameShape = z
  .string()
  .trim()
  .min(1, 'say a name')
  .max(100)
  .refine(isOneLine, 'must be plain words in one line');
