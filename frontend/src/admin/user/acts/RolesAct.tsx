import { Checkbox } from '@mantine/core';
import { useState } from 'react';
import { api } from '../../../api/client';
import { answerOf } from '../../../api/problem';
import { texts } from '../../../texts';
import { ROLES } from '../../users/usersSearch';
import { rolesText } from '../../users/userText';
import { Act } from './Act';
import { pathOf, type ActProps } from './actProps';

/** Makes the user an operator, another kind of one, or none. */
export function SetRoles({ user }: ActProps) {
  // Other roles begin a new form: what was chosen in it were those of before.
  return <RolesForm key={user.roles.toSorted().join()} user={user} />;
}

function RolesForm({ user }: ActProps) {
  const [chosen, setChosen] = useState<readonly string[]>(user.roles);
  const words = texts.adminUser.setRoles;
  const labels = texts.adminUsers.roles;

  async function act() {
    const body = { roles: ROLES.filter((role) => chosen.includes(role)) };
    const { roles } = await answerOf(api.POST('/v1/admin/users/{user_id}/roles', { ...pathOf(user), body }));
    return roles.length === 0 ? words.taken : words.done(rolesText(roles));
  }

  return (
    <Act
      {...words}
      act={act}
     
      fields={
        <Checkbox.Group label={words.label} value={[...chosen]} onChange={setChosen}>
          {ROLES.map((role) => (
            <Checkbox key={role} value={role} label={labels[role]} description={words.mays[role]} mt={8} />
          ))}
        </Checkbox.Group>
      }
    />
  );
}
