import { Button } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import type { CSSProperties } from 'react';
import type { PlanOnSale } from '../api/types';
import { texts } from '../texts';
import { Caption } from '../ui/Caption';
import { planRows, priceText } from './planRows';
import classes from './Plans.module.css';

/** The plans beside each other. On narrow screens each line's label stands above its values. */
export function PlanTable({ plans }: { readonly plans: readonly PlanOnSale[] }) {
  const free = plans.find((plan) => plan.price_cents === 0)?.display_name;
  return (
    <table className={classes.table} style={{ '--plans': plans.length } as CSSProperties}>
      <Caption>{texts.plans.caption}</Caption>
      <thead>
        <tr>
          <th scope="col" className={classes.corner}>
            {texts.plans.row}
          </th>
          {plans.map((plan) => (
            <th scope="col" key={plan.id} className={classes.plan}>
              <span className={classes.name}>{plan.display_name}</span>
              {plan.recommended && <span className={classes.badge}>{texts.plans.recommended}</span>}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {plans.some((plan) => plan.description !== '') && (
          <tr>
            <th scope="row">{texts.plans.description}</th>
            {plans.map((plan) => (
              <td key={plan.id} className={classes.description}>
                {plan.description}
              </td>
            ))}
          </tr>
        )}
        <tr>
          <th scope="row">{texts.plans.price}</th>
          {plans.map((plan) => (
            <td key={plan.id} className={classes.price}>
              {priceText(plan)}
            </td>
          ))}
        </tr>
        {planRows(plans).map((row) => (
          <tr key={row.key}>
            <th scope="row">{row.label}</th>
            {row.values.map((value, index) => (
              <td key={plans[index]?.id} className={value === texts.plans.no ? classes.no : undefined}>
                {value}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
      <tfoot>
        <tr>
          <td className={classes.corner} />
          {plans.map((plan) => (
            <td key={plan.id} className={classes.offer}>
              <Offer plan={plan} free={free} />
            </td>
          ))}
        </tr>
      </tfoot>
    </table>
  );
}

/** What the reader can do about a plan, as the server says. */
function Offer({ plan, free }: { readonly plan: PlanOnSale; readonly free: string | undefined }) {
  const costs = plan.price_cents > 0;
  if (plan.offer.action === 'keep') return <strong>{texts.plans.yours}</strong>;
  if (plan.offer.action === 'ask') {
    return <span className={classes.no}>{costs ? texts.plans.ask(plan.display_name) : texts.plans.afterwards}</span>;
  }
  // The one main action is that of the plan that is recommended.
  return (
    <>
      <Button component={Link} to="/signup" variant={plan.recommended ? 'filled' : 'default'} className={classes.start}>
        {costs ? texts.plans.signUp : texts.plans.start(plan.display_name)}
      </Button>
      {/* Every account starts on a plan that costs nothing: no button promises another one. */}
      {costs && free !== undefined && <p className={classes.then}>{texts.plans.startsOn(free, plan.display_name)}</p>}
    </>
  );
}
