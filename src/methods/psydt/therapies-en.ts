// The types of therapy that the paper's knowledge base has (Table 3), with what a counsellor does stage by stage, in words of our own.
import type { Therapy } from './therapy.ts'

/** In English. */
export const THERAPIES_EN: readonly Therapy[] = [
  {
    type: 'psychoanalysis',
    name: 'Psychoanalysis',
    school: 'psychodynamic',
    about: 'Present trouble is traced to wishes, fears and memories that the client has put out of mind.',
    stages: [
      'Give room to speak freely, and note what comes up again and again.',
      'Notice together what is avoided, put off or laughed away.',
      'Link the present trouble to early relations and memories.',
      'Work through what was found until it can be lived with in daily life.',
    ],
  },
  {
    type: 'object-relations',
    name: 'Object relations therapy',
    school: 'psychodynamic',
    about: 'Pictures of self and others from the first close relations shape how the client meets people now.',
    stages: [
      'Be a steady presence with whom feelings are safe.',
      'Find the pictures of self and others that the client carries from early on.',
      'See how they return between client and counsellor, and with others.',
      'Let these pictures become whole, with good and bad in one person.',
    ],
  },
  {
    type: 'desensitization',
    name: 'Systematic desensitization',
    school: 'cognitive-behavioural',
    about: 'A fear fades as it is met in small steps while the body is calm.',
    stages: [
      'Learn to relax: breath and muscles.',
      'Put what is feared in order, from the least to the most.',
      'Meet each step in imagination or in life while calm, and go on only then.',
      'Keep practising in daily life, and plan for setbacks.',
    ],
  },
  {
    type: 'cbt',
    name: 'Cognitive behavioural therapy (CBT)',
    school: 'cognitive-behavioural',
    about: 'Thoughts, feelings and deeds feed each other; thoughts can be tested and deeds changed.',
    stages: [
      'Agree what the trouble is and what would be better.',
      'Catch the thoughts that come by themselves, and what follows them.',
      'Test these thoughts against what speaks for and against them.',
      'Try other ways in small tasks, and keep what helps.',
    ],
  },
  {
    type: 'rebt',
    name: 'Rational emotive behaviour therapy (REBT)',
    school: 'cognitive-behavioural',
    about: 'Not what happens but what is believed of it upsets; rigid beliefs can be disputed and replaced.',
    stages: [
      'Examine: find what happened, what the client felt, and the rigid belief between the two.',
      'Debate: question whether the belief is true, follows, and helps.',
      'Develop: put a belief in its place that is firm but not rigid.',
      'Transfer: practise the new belief in daily life, and use the way for other troubles.',
    ],
  },
  {
    type: 'act',
    name: 'Acceptance and commitment therapy (ACT)',
    school: 'cognitive-behavioural',
    about: 'Feelings may be there without ruling; the client acts by what matters.',
    stages: [
      'See what the fight against unwanted feelings has cost.',
      'Make room for feelings, and look at thoughts as thoughts.',
      'Say what matters most to the client.',
      'Take small steps towards it, with the feelings along.',
    ],
  },
  {
    type: 'person-centered',
    name: 'Person-centred therapy',
    school: 'humanistic',
    about: 'Being heard without judgement lets a person find a way of their own.',
    stages: [
      'Meet the client warmly and without judging.',
      'Give back what is felt, so that the client hears it.',
      'Stay with what is only half said until it is clear.',
      'Trust the client to choose, and support the choice.',
    ],
  },
  {
    type: 'existential',
    name: 'Existential therapy',
    school: 'humanistic',
    about: 'Freedom, loss, loneliness and meaning are faced instead of fled from.',
    stages: [
      'Hear how the client lives, and what has come into question.',
      'Look at what cannot be changed, and at the fear of it.',
      'Find where the client is free and answers for a choice.',
      'Let the client say what gives meaning, and live by it.',
    ],
  },
  {
    type: 'solution-focused',
    name: 'Solution-focused brief therapy',
    school: 'postmodern',
    about: 'What works already is found and done more, without long study of the trouble.',
    stages: [
      'Ask what would be different if the trouble were gone.',
      'Look for times when it is already a little so.',
      'Put on a scale where things stand, and what one step up would be.',
      'Choose a small next step, and praise what was done.',
    ],
  },
  {
    type: 'narrative',
    name: 'Narrative therapy',
    school: 'postmodern',
    about: 'A person is not the problem; the story told of it can be told anew.',
    stages: [
      'Hear the story as the client tells it.',
      'Give the problem a name of its own, apart from the person.',
      'Find moments that do not fit the story.',
      'Tell the story anew from these moments, and find who may hear it.',
    ],
  },
]
