import { answer, reset, startScriptedHttp, type HttpRequest, type Script, type ScriptedHttp } from './scripted-http.js';

/** What a ticket system keeps of one thing said. */
export interface Note {
  text: string;
  author: number | string | null;
  isPublic: boolean;
  files: { name: string; content: Buffer }[];
}

/** A ticket system's API as its documents show it, with one ticket. */
export interface Desk {
  http: ScriptedHttp;
  notes: Note[];
  /** In the system's own words. */
  status: string | number;
  /** Its answers to the next tries to write; after that it takes them. */
  refusals: Script[];
  /** The next try is written down, and its answer is lost. */
  losesAnswer: boolean;
  refusesFiles: boolean;
  /** Whom it knows, by address. */
  people: Map<string, number>;
}

export interface DeskKind {
  writer: 'zammad' | 'zendesk' | 'freshdesk' | 'jira';
  ticketId: string;
  /** What it answers where the ticket takes nothing more. */
  closed: Script;
  statuses?: { solved: string | number; open: string | number };
  /** Files go by themselves, so one that is refused does not take the others along. */
  isByFile: boolean;
  route(desk: Desk, request: HttpRequest): Promise<Script | null>;
}

export async function startDesk(kind: DeskKind): Promise<Desk> {
  const http = await startScriptedHttp((response, request) => {
    void kind
      .route(desk, request)
      .then((script) => (script ?? answer(404, { error: 'RecordNotFound' }))(response, request));
  });
  const desk: Desk = {
    http,
    notes: [],
    status: kind.statuses?.solved ?? '',
    refusals: [],
    losesAnswer: false,
    refusesFiles: false,
    people: new Map([['siti@example.com', 7]]),
  };
  return desk;
}

/** Writes a note down, or refuses as it was told to. */
function take(desk: Desk, note: Note, script: Script): Script {
  const refusal = desk.refusals.shift();
  if (refusal) return refusal;
  desk.notes.push(note);
  if (!desk.losesAnswer) return script;
  desk.losesAnswer = false;
  return reset;
}

const json = <T>({ body }: HttpRequest) => JSON.parse(body) as T;

async function formOf({ bytes, headers }: HttpRequest) {
  const form = await new Response(new Uint8Array(bytes), {
    headers: { 'content-type': headers['content-type']! },
  }).formData();
  const files = form.getAll('attachments[]').concat(form.getAll('file')) as File[];
  return {
    text: (name: string) => form.get(name) as string | null,
    files: await Promise.all(
      files.map(async (file) => ({ name: file.name, content: Buffer.from(await file.arrayBuffer()) })),
    ),
  };
}

const zammad: DeskKind = {
  writer: 'zammad',
  ticketId: '81',
  closed: answer(422, { error: 'Cannot follow-up on a closed ticket. Please create a new ticket.' }),
  statuses: { solved: 'closed', open: 'open' },
  isByFile: false,
  async route(desk, request) {
    const { method, url } = request;
    if (method === 'GET' && url === '/api/v1/ticket_articles/by_ticket/81')
      return answer(
        200,
        desk.notes.map(({ text }, id) => ({ id, body: text, message_id: ids.get(desk.notes[id]!) })),
      );
    if (method === 'GET' && url === '/api/v1/tickets/81?expand=true')
      return answer(200, { id: 81, state: desk.status });
    if (method === 'PUT' && url === '/api/v1/tickets/81') {
      desk.status = json<{ state: string }>(request).state;
      return answer(200, { id: 81 });
    }
    if (method !== 'POST' || url !== '/api/v1/ticket_articles') return null;
    const given = json<{
      ticket_id: number;
      body: string;
      sender: string;
      internal: boolean;
      message_id: string;
      attachments: { filename: string; data: string }[];
    }>(request);
    if (given.ticket_id !== 81) return answer(404, { error: 'not found' });
    if (desk.refusesFiles && given.attachments.length > 0) return answer(422, { error: 'Attachment too large' });
    const files = given.attachments.map(({ filename, data }) => ({
      name: filename,
      content: Buffer.from(data, 'base64'),
    }));
    const note = { text: given.body, author: given.sender, isPublic: !given.internal, files };
    ids.set(note, given.message_id);
    return take(desk, note, answer(201, { id: 9 }));
  },
};
const ids = new WeakMap<Note, unknown>();

const zendesk: DeskKind = {
  writer: 'zendesk',
  ticketId: '35436',
  closed: answer(422, {
    error: 'RecordInvalid',
    description: 'Record validation errors',
    details: { status: [{ description: 'Status: closed prevents ticket update' }] },
  }),
  statuses: { solved: 'solved', open: 'open' },
  isByFile: true,
  async route(desk, request) {
    const { method, url } = request;
    const [path, query = ''] = url.split('?');
    if (method === 'GET' && path === '/api/v2/tickets/35436/audits.json')
      return answer(200, {
        audits: desk.notes.map((note, id) => ({ id, metadata: { system: {}, custom: ids.get(note) ?? {} } })),
        next_page: null,
      });
    if (method === 'GET' && path === '/api/v2/users/search.json') {
      const email = /email:"(.*)"/.exec(new URLSearchParams(query).get('query')!)![1]!;
      const id = desk.people.get(email);
      return answer(200, { users: id === undefined ? [] : [{ id, email, role: 'end-user' }] });
    }
    if (method === 'POST' && path === '/api/v2/uploads.json') {
      if (desk.refusesFiles) return answer(413, { error: 'AttachmentTooLarge' });
      const name = new URLSearchParams(query).get('filename')!;
      const token = Buffer.from(JSON.stringify([name, request.bytes.toString('base64')])).toString('base64url');
      return answer(201, { upload: { token, expires_at: '2026-11-27T00:00:00Z' } });
    }
    if (path !== '/api/v2/tickets/35436.json') return null;
    if (method === 'GET') return answer(200, { ticket: { id: 35436, status: desk.status, updated_at: 'v1' } });
    const { ticket } = json<{
      ticket: {
        status?: string;
        updated_stamp?: string;
        metadata?: { custom: object };
        comment?: { body: string; public: boolean; author_id?: number; uploads?: string[] };
      };
    }>(request);
    if (ticket.status) {
      if (ticket.updated_stamp !== 'v1') return answer(409, { error: 'UpdateConflict' });
      desk.status = ticket.status;
      return answer(200, { ticket: { id: 35436 } });
    }
    const files = (ticket.comment!.uploads ?? []).map((token) => {
      const [name, content] = JSON.parse(Buffer.from(token, 'base64url').toString()) as [string, string];
      return { name, content: Buffer.from(content, 'base64') };
    });
    const { body, author_id: author = null, public: isPublic } = ticket.comment!;
    const note = { text: body, author, isPublic, files };
    ids.set(note, ticket.metadata?.custom);
    return take(desk, note, answer(200, { ticket: { id: 35436 }, audit: { id: 1 } }));
  },
};

const plainOf = (html: string) =>
  html
    .replaceAll('<br>', '\n')
    .replace(/<[^>]*>/g, '')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&');

const freshdesk: DeskKind = {
  writer: 'freshdesk',
  ticketId: '11',
  closed: answer(400, { description: 'Validation failed', errors: [{ field: 'status', message: 'ticket is closed' }] }),
  statuses: { solved: 4, open: 2 },
  isByFile: false,
  async route(desk, request) {
    const { method, url } = request;
    const [path, query = ''] = url.split('?');
    if (method === 'GET' && path === '/api/v2/tickets/11')
      return answer(200, { id: 11, status: desk.status, requester: { id: 7, email: 'Siti@Example.com' } });
    if (method === 'PUT' && path === '/api/v2/tickets/11') {
      desk.status = json<{ status: number }>(request).status;
      return answer(200, { id: 11 });
    }
    if (method === 'GET' && path === '/api/v2/contacts') {
      const id = desk.people.get(new URLSearchParams(query).get('email')!);
      return answer(200, id === undefined ? [] : [{ id }]);
    }
    if (method === 'GET' && path === '/api/v2/tickets/11/conversations') {
      const page = Number(new URLSearchParams(query).get('page'));
      const found = desk.notes.slice((page - 1) * 100, page * 100);
      // Some of its texts have their lines in one.
      return answer(
        200,
        found.map(({ text }) => ({ body_text: plainOf(text).replace(/\s+/g, ' ') })),
      );
    }
    if (method !== 'POST' || path !== '/api/v2/tickets/11/notes') return null;
    const form = await formOf(request);
    if (desk.refusesFiles && form.files.length > 0)
      return answer(400, {
        description: 'Validation failed',
        errors: [{ field: 'attachments', code: 'invalid_size', message: 'too big' }],
      });
    const author = form.text('user_id');
    const note = {
      text: form.text('body')!,
      author: author && Number(author),
      isPublic: form.text('private') === 'false',
      files: form.files,
    };
    return take(desk, note, answer(201, { id: 9 }));
  },
};

const jira: DeskKind = {
  writer: 'jira',
  ticketId: 'HELP-12',
  closed: answer(400, { errorMessage: 'The request is closed and takes no comments' }),
  isByFile: true,
  async route(desk, request) {
    const { method, url } = request;
    const [path, query = ''] = url.split('?');
    const place = '/rest/servicedeskapi/request/HELP-12';
    if (method === 'GET' && path === place) return answer(200, { issueKey: 'HELP-12', serviceDeskId: '4' });
    if (method === 'GET' && path === `${place}/comment`) {
      const start = Number(new URLSearchParams(query).get('start'));
      const found = desk.notes.slice(start, start + 100);
      return answer(200, {
        values: found.map(({ text }) => ({ body: text })),
        isLastPage: start + 100 >= desk.notes.length,
      });
    }
    if (method === 'POST' && path === '/rest/servicedeskapi/servicedesk/4/attachTemporaryFile') {
      if (request.headers['x-atlassian-token'] !== 'no-check') return answer(403, 'XSRF check failed');
      if (desk.refusesFiles) return answer(413, { errorMessage: 'too large' });
      const [file] = (await formOf(request)).files;
      const id = Buffer.from(JSON.stringify([file!.name, file!.content.toString('base64')])).toString('base64url');
      return answer(201, { temporaryAttachments: [{ temporaryAttachmentId: id, fileName: file!.name }] });
    }
    if (method !== 'POST') return null;
    if (path === `${place}/comment`) {
      const { body, public: isPublic } = json<{ body: string; public: boolean }>(request);
      return take(desk, { text: body, author: null, isPublic, files: [] }, answer(201, { id: '9' }));
    }
    if (path !== `${place}/attachment`) return null;
    const given = json<{ temporaryAttachmentIds: string[]; public: boolean; additionalComment: { body: string } }>(
      request,
    );
    const files = given.temporaryAttachmentIds.map((id) => {
      const [name, content] = JSON.parse(Buffer.from(id, 'base64url').toString()) as [string, string];
      return { name, content: Buffer.from(content, 'base64') };
    });
    const note = { text: given.additionalComment.body, author: null, isPublic: given.public, files };
    return take(desk, note, answer(201, { comment: { id: '9' } }));
  },
};

export const desks: readonly DeskKind[] = [zammad, zendesk, freshdesk, jira];
