/** How `adapter: mapping` finds the native event in the bodies of a system that Postern does not know by name. */
import { z } from 'zod';

/** RFC 6901. */
const pointer = z.string().regex(/^(?:\/(?:[^~/]|~[01])*)*$/, 'must be a JSON pointer like /ticket/id');
const constant = z.union([z.string(), z.number(), z.boolean(), z.null()]);

const field = z.union(
  [
    pointer.transform((text) => ({ pointer: text })),
    z.strictObject({
      pointer,
      /** What a value means in the native event's words; one that is not here is taken as it stands. */
      map: z.record(z.string(), constant).optional(),
    }),
    z.strictObject({ value: constant }),
  ],
  { error: 'must be a JSON pointer, { pointer, map } or { value }' },
);

const person = {
  kind: field.optional(),
  id: field.optional(),
  email: field,
  name: field.optional(),
  locale: field.optional(),
  timeZone: field.optional(),
};
/** Where the list is; the fields of its elements are read from each of them. */
const each = pointer;

export const mappingSchema = z.strictObject({
  /** Where and how a request shows that it is genuine. Without an algorithm the header holds the secret itself. */
  signature: z.strictObject({
    header: z
      .string()
      .regex(/^[!#$%&'*+.^_`|~\w-]+$/, 'must be the name of a header')
      .transform((name) => name.toLowerCase()),
    algorithm: z.enum(['sha1', 'sha256', 'sha512'], { error: 'must be sha1, sha256 or sha512' }).optional(),
    encoding: z.enum(['hex', 'base64'], { error: 'must be hex or base64' }).default('hex'),
    /** Stands before the signature, like "sha256=". */
    prefix: z.string().default(''),
  }),
  /** Names the happening, the same on each retry; without it the body does. */
  id: field.optional(),
  type: field,
  timestamp: field.optional(),
  ticket: z.strictObject({
    id: field,
    number: field.optional(),
    subject: field.optional(),
    status: field,
    version: field.optional(),
    createdAt: field.optional(),
    updatedAt: field,
    url: field.optional(),
  }),
  requester: z.strictObject(person),
  participants: z.strictObject({ each, ...person }).optional(),
  message: z
    .strictObject({
      id: field,
      /** Only what comes out as `true` is public. */
      public: field,
      body: field.optional(),
      format: field.optional(),
      createdAt: field.optional(),
      replyId: field.optional(),
      author: z
        .strictObject({ kind: field, id: field.optional(), email: field.optional(), name: field.optional() })
        .optional(),
      attachments: z
        .strictObject({
          each,
          name: field,
          url: field,
          contentType: field.optional(),
          size: field.optional(),
        })
        .optional(),
    })
    .optional(),
  into: field.optional(),
});

/** Where one field of the native event comes from. */
export type MappedField = z.output<typeof field>;
export type Mapping = z.output<typeof mappingSchema>;
