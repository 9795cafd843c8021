import type { MultipartFile } from '@fastify/multipart';
import { Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { PosternError } from '../errors.js';
import {
  FileStore,
  MOST_BYTES_PER_FILE,
  MOST_BYTES_PER_REPLY,
  MOST_FILES_PER_REPLY,
  type ReceiptFault,
  type ReceivedFile,
} from '../tickets/file-store.js';
import type { NewReply } from '../tickets/replies.js';
import { forgetRest, givenUp } from './broken-form.js';

export const MOST_CHARACTERS = 20_000;
/** Bounds on what is read at all; what is refused politely is counted below them. */
const LIMITS = {
  parts: 40,
  files: 30,
  /** Of a draft each file may be named twice. */
  fields: 20,
  fieldSize: 256 * 1024,
  fieldNameSize: 64,
  headerPairs: 20,
  fileSize: MOST_BYTES_PER_FILE + 1,
};

export const FULL_DISK_SECONDS = 60;
/** Of a form that nothing is kept of, how much is looked through for its text: that stands before the files. */
const MOST_LOOKED_THROUGH = 300 * 1024;

/** What is asked before anything of a form is kept. */
export interface Gate {
  /** Throws on a form of another site or session. */
  checkToken(token: unknown): void;
  /** Counts one more file; a fault if there were too many, or nothing can be counted now. */
  countFile(): Promise<FormFault | null>;
}

/** What is wrong with a reply, by field; `key` names the sentence. */
export interface FormFault {
  field: 'body' | 'files';
  key: string;
  name?: string;
  /** It may go the next time. */
  retryAfterSeconds?: number;
}

export interface ReplyForm extends NewReply {
  faults: FormFault[];
  /** Of a draft's files, by their hashes: which the form showed, and which go along. */
  offered: string[];
  keep: string[];
}

const sentenceOf: Record<ReceiptFault, string> = {
  type: 'file-kind',
  mismatch: 'file-mismatch',
  unreadable: 'file-mismatch',
  empty: 'file-empty',
  'too-large': 'file-too-large',
  'too-many-pixels': 'image-too-large',
  unsafe: 'file-unsafe',
  unchecked: 'file-unchecked',
  'no-room': 'no-room',
};

/** Reads a reply form as it streams in: files go to disk one by one, never whole into memory. */
@Injectable()
export class ReplyForms {
  constructor(private readonly files: FileStore) {}

  /** Throws what the gate throws. Whatever was stored is removed when this throws. */
  async read(request: FastifyRequest, gate: Gate): Promise<ReplyForm> {
    if (!request.isMultipart()) throw new PosternError('bad-request', 'Send multipart/form-data.');
    const form = blank();
    try {
      this.readFields(await this.readParts(request, gate, form), form);
    } catch (error) {
      await this.discard(form.files);
      throw givenUp(error, request);
    }
    return form;
  }

  /** Files alone, to wait beside those that are `held`: limits count over all of them. Throws as `read` does. */
  async readFiles(
    request: FastifyRequest,
    gate: Gate,
    held: ReceivedFile[],
  ): Promise<Pick<ReplyForm, 'files' | 'faults'>> {
    if (!request.isMultipart()) throw new PosternError('bad-request', 'Send multipart/form-data.');
    const form = { ...blank(), files: [...held] };
    const received = () => form.files.slice(held.length);
    try {
      await this.readParts(request, gate, form);
    } catch (error) {
      await this.discard(received());
      throw givenUp(error, request);
    }
    return { files: received(), faults: form.faults };
  }

  /** Takes files and the draft's hashes into the form; returns the other fields. */
  private async readParts(request: FastifyRequest, gate: Gate, form: ReplyForm): Promise<Record<string, unknown>> {
    const fields: Record<string, unknown> = {};
    let isChecked = false;
    for await (const part of request.parts({ limits: LIMITS })) {
      if (part.type === 'field' && (part.fieldname === 'keep' || part.fieldname === 'offered'))
        form[part.fieldname].push(String(part.value));
      else if (part.type === 'field') fields[part.fieldname] = part.value;
      else {
        // The token stands before the files in the form: nothing of a stranger's is stored.
        if (!isChecked) gate.checkToken(fields.formToken);
        isChecked = true;
        await this.take(part, form, gate);
      }
    }
    if (!isChecked) gate.checkToken(fields.formToken);
    return fields;
  }

  private async discard(files: ReceivedFile[]): Promise<void> {
    for (const { file } of files) await this.files.remove(file);
  }

  /**
   * The text alone, of a reply that cannot be taken: it is given back, so that nothing typed is lost. It stands before the
   * files, so whoever is nobody's guest cannot keep us busy with more than that.
   */
  async readText(request: FastifyRequest): Promise<string> {
    let text = '';
    let left = MOST_LOOKED_THROUGH;
    if (!request.isMultipart()) return text;
    try {
      for await (const part of request.parts({ limits: LIMITS })) {
        if (part.type === 'file') {
          for await (const chunk of part.file as AsyncIterable<Buffer>) if ((left -= chunk.length) < 0) break;
        } else {
          left -= String(part.value).length;
          if (part.fieldname === 'body' && typeof part.value === 'string') text = part.value;
        }
        if (left >= 0) continue;
        forgetRest(request);
        break;
      }
    } catch (error) {
      throw givenUp(error, request);
    }
    return text.slice(0, MOST_CHARACTERS);
  }

  private readFields({ body, formKey }: Record<string, unknown>, form: ReplyForm): void {
    // Browsers send line breaks as CRLF (HTML, "multipart/form-data encoding").
    form.body = typeof body === 'string' ? body.replace(/\r\n?/g, '\n').replaceAll('\0', '') : '';
    form.formKey = typeof formKey === 'string' ? formKey : '';
    if (!/^[\w-]{10,64}$/.test(form.formKey)) throw new PosternError('forbidden', 'The form has no key.');
    const triedFiles = form.files.length > 0 || form.faults.length > 0 || form.keep.length > 0;
    if (form.body.trim() === '' && !triedFiles) form.faults.unshift({ field: 'body', key: 'empty' });
    if (form.body.length > MOST_CHARACTERS) form.faults.unshift({ field: 'body', key: 'too-long' });
  }

  private async take(part: MultipartFile, form: ReplyForm, gate: Gate): Promise<void> {
    // An empty file field is sent as a file without a name.
    if (part.fieldname !== 'files' || part.filename === '' || part.filename === undefined) return drain(part);
    if (form.files.length >= MOST_FILES_PER_REPLY) {
      addOnce(form, { field: 'files', key: 'too-many-files' });
      return drain(part);
    }
    const refused = await gate.countFile();
    if (refused) {
      addOnce(form, refused);
      return drain(part);
    }
    const room = MOST_BYTES_PER_REPLY - form.files.reduce((sum, { size }) => sum + size, 0);
    const receipt = await this.files.receive(part.file, part.filename, Math.min(room, MOST_BYTES_PER_FILE));
    if (receipt.ok) form.files.push(receipt.received);
    else if (receipt.fault === 'too-large' && room < MOST_BYTES_PER_FILE)
      addOnce(form, { field: 'files', key: 'files-too-large' });
    else if (receipt.fault === 'no-room')
      addOnce(form, { field: 'files', key: 'no-room', retryAfterSeconds: FULL_DISK_SECONDS });
    else form.faults.push({ field: 'files', key: sentenceOf[receipt.fault], name: receipt.name });
  }
}

const blank = (): ReplyForm => ({ body: '', formKey: '', files: [], faults: [], offered: [], keep: [] });

function addOnce(form: ReplyForm, fault: FormFault): void {
  if (!form.faults.some(({ key }) => key === fault.key)) form.faults.push(fault);
}

async function drain({ file }: MultipartFile): Promise<void> {
  for await (const chunk of file) void chunk;
}
