export const ROLE = 'teacher-cache';
