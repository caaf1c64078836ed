import { Button, NativeSelect } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState, type SyntheticEvent } from 'react';
import { api } from '../../../api/client';
import { answerOf } from '../../../api/problem';
import { publicPlansQuery } from '../../../api/queries';
import type { BulkWish } from '../../../api/types';
import settings from '../../../settings/Settings.module.css';
import { texts } from '../../../texts';
import { ErrorNotice } from '../../../ui/ErrorNotice';
import { PlanFields } from '../../user/acts/PlanFields';
import { useOperator } from '../../useOperator';
import type { Selection } from '../selection';
import type { UsersSearch } from '../usersSearch';
import classes from './Bulk.module.css';
import { BulkPreviewPanel } from './BulkPreviewPanel';
import { KINDS, wishOf, type BulkKind } from './wish';

interface BulkBarProps {
  readonly selection: Selection;
  readonly search: UsersSearch;
  /** How many are chosen, in words. */
  readonly count: string;
  /** The way to all that match; null where they are chosen. */
  readonly onAll: { readonly label: string; readonly choose: () => void } | null;
  readonly onStarted: (id: string) => void;
  readonly onCancel: () => void;
}

/** One act for all who are chosen: first whom it would affect, then the act itself. */
export function BulkBar({ selection, search, count, onAll, onStarted, onCancel }: BulkBarProps) {
  const { may } = useOperator();
  const kinds = KINDS.filter(({ permission }) => may(permission)).map(({ kind }) => kind);
  const onSale = useQuery(publicPlansQuery).data?.plans ?? [];
  const [wanted, setWanted] = useState<BulkKind | null>(null);
  const [chosenPlan, setChosenPlan] = useState<string | null>(null);
  const [days, setDays] = useState('30');
  const [isTried, setIsTried] = useState(false);
  const words = texts.adminBulk;
  const kind = wanted ?? kinds[0];
  const plan = chosenPlan ?? onSale[0]?.name;
  const previewing = useMutation({
    mutationFn: async (wish: BulkWish) => ({
      wish,
      preview: await answerOf(api.POST('/v1/admin/bulk-actions/preview', { body: wish })),
    }),
  });
  if (kind === undefined) return null;
  const wish = wishOf({ kind, plan, days }, selection, search);
  // What was found out is shown while it is what would be done.
  const found = JSON.stringify(previewing.data?.wish) === JSON.stringify(wish) ? previewing.data : undefined;

  function submit(event: SyntheticEvent) {
    event.preventDefault();
    setIsTried(true);
    if (wish !== null) previewing.mutate(wish);
  }

  return (
    <section className={classes.bar} aria-label={words.label}>
      <div className={settings.row}>
        <p role="status" className={classes.count}>
          {count}
        </p>
        {onAll && (
          <Button variant="default" size="compact-sm" onClick={onAll.choose}>
            {onAll.label}
          </Button>
        )}
      </div>
      <form className={classes.form} onSubmit={submit} noValidate>
        <NativeSelect
          label={words.act}
          data={kinds.map((value) => ({ value, label: words.kinds[value] }))}
          value={kind}
          onChange={({ currentTarget }) => setWanted(kinds.find((one) => one === currentTarget.value) ?? null)}
        />
        {kind === 'upgrade_plan' && (
          <PlanFields
            plan={plan}
            onPlan={setChosenPlan}
            days={days}
            onDays={setDays}
            isTried={isTried}
          />
        )}
        <div className={settings.row}>
          <Button type="submit" size="sm" variant={found ? 'default' : 'filled'} loading={previewing.isPending}>
            {words.look}
          </Button>
          <Button variant="default" size="sm" onClick={onCancel}>
            {words.cancel}
          </Button>
        </div>
      </form>
      {previewing.isError && <ErrorNotice error={previewing.error} title={words.notLooked} />}
      {found && (
        <BulkPreviewPanel
          key={`${found.preview.ticket} ${found.wish.action}`}
          wish={found.wish}
          preview={found.preview}
          onStarted={onStarted}
        />
      )}
    </section>
  );
}
