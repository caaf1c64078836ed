import { Button, Textarea } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState, type SyntheticEvent } from 'react';
import { notesQuery, ofUser } from '../../api/adminQueries';
import { api } from '../../api/client';
import { answerOf } from '../../api/problem';
import type { Note, UserWhole } from '../../api/types';
import settings from '../../settings/Settings.module.css';
import { texts } from '../../texts';
import { formatMoment } from '../../texts/format';
import { ErrorNotice } from '../../ui/ErrorNotice';
import { Placeholder } from '../../ui/Placeholder';
import { hintWithRoom } from '../../ui/roomText';
import type { Reader } from '../../usage/meterText';
import { PageLinks } from '../PageLinks';
import { useOperator } from '../useOperator';
import { Act } from './acts/Act';
import { ActList } from './acts/ActList';
import classes from './User.module.css';

const LONGEST = 2_000;

interface NotesTabProps {
  readonly user: UserWhole;
  readonly page: number;
  readonly reader: Reader;
}

/** What operators tell each other about a user, who never sees it. */
export function NotesTab({ user, page, reader }: NotesTabProps) {
  const notes = useQuery(notesQuery(user.id, page));
  const { may } = useOperator();
  const words = texts.adminUser.notes;
  return (
    <>
      {may('notes.write') && user.deleted_at === null && <NewNote userId={user.id} />}
      {notes.isPending && <Placeholder width="100%" height={120} line={144} />}
      {notes.isError && (
        <ErrorNotice error={notes.error} title={words.failed} onRetry={() => void notes.refetch()} />
      )}
      {notes.data?.items.length === 0 && <p className={classes.quiet}>{words.none}</p>}
      <ActList>
        {notes.data?.items.map((note) => (
          <NoteLine key={note.id} note={note} userId={user.id} reader={reader} />
        ))}
      </ActList>
      {notes.data && (
        <PageLinks
          label={words.pages}
          page={notes.data.page}
          pageSize={notes.data.page_size}
          total={notes.data.total}
          isExact
          shown={notes.data.items.length}
        />
      )}
    </>
  );
}

function NewNote({ userId }: { readonly userId: string }) {
  const client = useQueryClient();
  const [text, setText] = useState('');
  const [isTried, setIsTried] = useState(false);
  const words = texts.adminUser.notes;
  const adding = useMutation({
    mutationFn: () =>
      answerOf(
        api.POST('/v1/admin/users/{user_id}/notes', {
          params: { path: { user_id: userId } },
          body: { text: text.trim() },
        }),
      ),
    onSuccess: () => {
      setText('');
      setIsTried(false);
      return client.invalidateQueries({ queryKey: ofUser(userId) });
    },
  });
  const isMissing = text.trim() === '';

  function submit(event: SyntheticEvent) {
    event.preventDefault();
    setIsTried(true);
    if (!isMissing) adding.mutate();
  }

  return (
    <form className={settings.form} onSubmit={submit} noValidate>
      {adding.isError && <ErrorNotice error={adding.error} title={words.notAdded} />}
      <Textarea
        label={words.text}
        description={hintWithRoom(words.hint, text, LONGEST)}
        rows={3}
        maxLength={LONGEST}
        value={text}
        error={isTried && isMissing ? words.missing : undefined}
        onChange={(event) => setText(event.currentTarget.value)}
      />
      <Button type="submit" loading={adding.isPending}>
        {words.add}
      </Button>
    </form>
  );
}

interface NoteLineProps {
  readonly note: Note;
  readonly userId: string;
  readonly reader: Reader;
}

/** Taken away by its author, or by a superadmin. */
function NoteLine({ note, userId, reader }: NoteLineProps) {
  const operator = useOperator();
  const words = texts.adminUser.notes;
  const title = words.by(note.author, formatMoment(note.created_at, reader.zone, reader.now));
  const text = <p className={classes.note}>{note.text}</p>;
  const isMine = note.created_by === operator.userId || operator.isSuperadmin;
  if (!operator.may('notes.write') || !isMine) {
    return (
      <div className={classes.act}>
        <div>
          <h3>{title}</h3>
          {text}
        </div>
      </div>
    );
  }
  async function act() {
    const path = { user_id: userId, note_id: note.id };
    await answerOf(api.DELETE('/v1/admin/users/{user_id}/notes/{note_id}', { params: { path } }));
    return words.removed;
  }
  return <Act {...words.remove} name={title} detail={text} act={act} />;
}
