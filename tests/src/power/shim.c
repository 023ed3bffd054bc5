// Lets the power go at a chosen write or sync of a process: preloaded into it by the tests.
//
// Every call that changes a file below POWER_CUT_DIR passes here, one at a time, and is counted.
// At the call numbered POWER_CUT_AT the disk is brought into a state that a loss of power may
// leave, and the process kills itself. What is durable is what POSIX promises, no more:
//
// - a file's bytes, once fsync or fdatasync of that file has returned;
// - that a file exists, is gone or was renamed, once fsync of its directory has returned.
//
// POWER_CUT_MODE says what becomes of the rest:
//   keep    all of it is there (the process was killed, the machine went on);
//   lose    none of it is there;
//   torn    files exist as they were named last, unsynced bytes are gone, but for the first half
//           of those of the file written last;
//   zeros   the same, but files have their full length, with zeros for what was not synced.
// POWER_CUT_AFTER set: the call is carried out first (but has not returned).
// POWER_CUT_TOTAL names a file that gets the number of calls when the process ends by itself.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { FILES_MAX = 4096, DESCRIPTORS_MAX = 4096, CHANGES_MAX = 16384 };

// A file that was opened for writing, by its present path.
struct tracked {
  char path[PATH_MAX];
  off_t synced; // bytes that are durable
};

// Bytes below `synced` that were written over and not synced since.
struct overwritten {
  int file;
  off_t offset;
  size_t length;
  char *bytes;
};

// A change of the directory that is not durable yet.
struct change {
  enum { CREATED, RENAMED, REMOVED } kind;
  char from[PATH_MAX];
  char to[PATH_MAX];
  char saved[PATH_MAX]; // where what was replaced or removed is kept; empty: nothing was
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char dir[PATH_MAX];
static size_t dir_length;
static long at, calls, saves;
static int after;
static const char *mode;
static struct tracked files[FILES_MAX];
static int file_count, last_written = -1;
static int file_of[DESCRIPTORS_MAX]; // 0: not ours; n: files[n - 1]; -1: the directory
static struct overwritten overwrites[CHANGES_MAX];
static int overwrite_count;
static struct change changes[CHANGES_MAX];
static int change_count;

static void die(const char *what) {
  dprintf(2, "power cut: %s: %s\n", what, strerror(errno));
  _exit(99);
}

__attribute__((constructor)) static void begin(void) {
  const char *value = getenv("POWER_CUT_DIR");
  if (value == NULL) return;
  if (realpath(value, dir) == NULL) die(value);
  dir_length = strlen(dir);
  value = getenv("POWER_CUT_AT");
  at = value != NULL ? atol(value) : 0;
  after = getenv("POWER_CUT_AFTER") != NULL;
  mode = getenv("POWER_CUT_MODE");
  if (mode == NULL) mode = "keep";
}

__attribute__((destructor)) static void end(void) {
  const char *total = getenv("POWER_CUT_TOTAL");
  if (dir_length == 0 || total == NULL) return;
  int fd = syscall(SYS_openat, AT_FDCWD, total, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (fd < 0) die(total);
  char text[32];
  int length = snprintf(text, sizeof text, "%ld\n", calls);
  if (syscall(SYS_write, fd, text, length) != length) die(total);
}

static int is_ours(const char *path) {
  return dir_length != 0 && strncmp(path, dir, dir_length) == 0 &&
         (path[dir_length] == '/' || path[dir_length] == 0);
}

static int find(const char *path) {
  for (int i = 0; i < file_count; i++)
    if (strcmp(files[i].path, path) == 0) return i;
  return -1;
}

static int track(const char *path, off_t synced) {
  int i = find(path);
  if (i < 0) {
    if (file_count == FILES_MAX) die("too many files");
    i = file_count++;
    snprintf(files[i].path, PATH_MAX, "%s", path);
  }
  files[i].synced = synced;
  return i;
}

static struct change *note(int kind, const char *from, const char *to) {
  if (change_count == CHANGES_MAX) die("too many changes");
  struct change *change = &changes[change_count++];
  change->kind = kind;
  snprintf(change->from, PATH_MAX, "%s", from);
  snprintf(change->to, PATH_MAX, "%s", to);
  change->saved[0] = 0;
  return change;
}

// Keeps a second name of a file that is about to be replaced or removed.
static void save(struct change *change, const char *path) {
  struct stat found;
  if (stat(path, &found) != 0) return;
  snprintf(change->saved, PATH_MAX, "%.4000s.saved.%ld", dir, ++saves);
  if (syscall(SYS_linkat, AT_FDCWD, path, AT_FDCWD, change->saved, 0) != 0) die(path);
  int i = find(path);
  if (i >= 0) snprintf(files[i].path, PATH_MAX, "%s", change->saved);
}

static void lose_bytes(void) {
  for (int i = overwrite_count - 1; i >= 0; i--) {
    struct overwritten *lost = &overwrites[i];
    int fd = syscall(SYS_openat, AT_FDCWD, files[lost->file].path, O_WRONLY, 0);
    if (fd < 0) continue;
    if (syscall(SYS_pwrite64, fd, lost->bytes, lost->length, lost->offset) < 0) die("undo");
    syscall(SYS_close, fd);
  }
  for (int i = 0; i < file_count; i++) {
    struct stat found;
    if (stat(files[i].path, &found) != 0 || found.st_size <= files[i].synced) continue;
    off_t keep = files[i].synced;
    if (strcmp(mode, "lose") != 0 && i == last_written) keep += (found.st_size - keep) / 2;
    if (syscall(SYS_truncate, files[i].path, keep) != 0) die(files[i].path);
    if (strcmp(mode, "zeros") == 0 &&
        syscall(SYS_truncate, files[i].path, found.st_size) != 0)
      die(files[i].path);
  }
}

static void lose_names(void) {
  for (int i = change_count - 1; i >= 0; i--) {
    struct change *change = &changes[i];
    if (change->kind == CREATED) syscall(SYS_unlinkat, AT_FDCWD, change->to, 0);
    if (change->kind == RENAMED)
      syscall(SYS_renameat, AT_FDCWD, change->to, AT_FDCWD, change->from);
    if (change->saved[0] != 0)
      syscall(SYS_renameat, AT_FDCWD, change->saved, AT_FDCWD, change->to);
  }
}

static void cut(const char *call, const char *path) {
  dprintf(2, "power cut: %s at call %ld: %s %s\n", mode, calls, call, path);
  if (strcmp(mode, "keep") != 0) lose_bytes();
  if (strcmp(mode, "lose") == 0) lose_names();
  syscall(SYS_kill, getpid(), SIGKILL);
  for (;;) pause();
}

// Every change of the disk is between these two.
static void enter(const char *call, const char *path) {
  pthread_mutex_lock(&lock);
  calls++;
  if (calls == at && !after) cut(call, path);
}

static void leave(const char *call, const char *path) {
  int saved = errno;
  if (calls == at && after) cut(call, path);
  pthread_mutex_unlock(&lock);
  errno = saved;
}

static int open_any(int base, const char *given, int flags, mode_t bits) {
  char path[PATH_MAX];
  if (given[0] == '/' || base != AT_FDCWD || getcwd(path, sizeof path) == NULL)
    snprintf(path, sizeof path, "%s", given);
  else {
    size_t length = strlen(path);
    snprintf(path + length, sizeof path - length, "/%s", given);
  }
  if (!is_ours(path)) return syscall(SYS_openat, base, given, flags, bits);
  struct stat found;
  int existed = stat(path, &found) == 0;
  int writes = (flags & O_ACCMODE) != O_RDONLY;
  int changes_disk = writes && (!existed || ((flags & O_TRUNC) && found.st_size > 0));
  if (changes_disk) enter("open", path);
  else pthread_mutex_lock(&lock);
  int fd = syscall(SYS_openat, base, given, flags, bits);
  if (fd >= 0 && fd < DESCRIPTORS_MAX) {
    if (existed && S_ISDIR(found.st_mode)) file_of[fd] = -1;
    else if (writes) {
      if (!existed) note(CREATED, "", path);
      int i = find(path);
      if (!existed || (flags & O_TRUNC)) i = track(path, 0);
      else if (i < 0) i = track(path, found.st_size);
      file_of[fd] = i + 1;
    }
  }
  if (changes_disk) leave("open", path);
  else pthread_mutex_unlock(&lock);
  return fd;
}

static mode_t bits_of(int flags, va_list list) {
  return flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0;
}

#define OPEN(name)                                   \
  int name(const char *path, int flags, ...) {       \
    va_list list;                                    \
    va_start(list, flags);                           \
    mode_t bits = bits_of(flags, list);              \
    va_end(list);                                    \
    return open_any(AT_FDCWD, path, flags, bits);    \
  }
#define OPENAT(name)                                       \
  int name(int base, const char *path, int flags, ...) {   \
    va_list list;                                          \
    va_start(list, flags);                                 \
    mode_t bits = bits_of(flags, list);                    \
    va_end(list);                                          \
    return open_any(base, path, flags, bits);              \
  }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

static int file_at(int fd) {
  return fd >= 0 && fd < DESCRIPTORS_MAX ? file_of[fd] : 0;
}

int close(int fd) {
  pthread_mutex_lock(&lock);
  if (fd >= 0 && fd < DESCRIPTORS_MAX) file_of[fd] = 0;
  int done = syscall(SYS_close, fd);
  int saved = errno;
  pthread_mutex_unlock(&lock);
  errno = saved;
  return done;
}

ssize_t write(int fd, const void *bytes, size_t length) {
  int i = file_at(fd) - 1;
  if (i < 0) return syscall(SYS_write, fd, bytes, length);
  enter("write", files[i].path);
  last_written = i;
  ssize_t done = syscall(SYS_write, fd, bytes, length);
  leave("write", files[i].path);
  return done;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  int i = file_at(fd) - 1;
  if (i < 0) return syscall(SYS_writev, fd, parts, count);
  enter("writev", files[i].path);
  last_written = i;
  ssize_t done = syscall(SYS_writev, fd, parts, count);
  leave("writev", files[i].path);
  return done;
}

static void keep_overwritten(int i, size_t length, off_t offset) {
  if (offset >= files[i].synced) return;
  if ((off_t)length > files[i].synced - offset) length = files[i].synced - offset;
  if (overwrite_count == CHANGES_MAX) die("too many overwrites");
  struct overwritten *old = &overwrites[overwrite_count++];
  old->file = i;
  old->offset = offset;
  old->length = length;
  old->bytes = malloc(length);
  int fd = syscall(SYS_openat, AT_FDCWD, files[i].path, O_RDONLY, 0);
  if (fd < 0 || old->bytes == NULL) die(files[i].path);
  if (syscall(SYS_pread64, fd, old->bytes, length, offset) != (ssize_t)length) die("read");
  syscall(SYS_close, fd);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
  int i = file_at(fd) - 1;
  if (i < 0) return syscall(SYS_pwrite64, fd, bytes, length, offset);
  enter("pwrite", files[i].path);
  last_written = i;
  keep_overwritten(i, length, offset);
  ssize_t done = syscall(SYS_pwrite64, fd, bytes, length, offset);
  leave("pwrite", files[i].path);
  return done;
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t offset) {
  return pwrite(fd, bytes, length, offset);
}

static int sync_any(const char *call, int fd) {
  int i = file_at(fd);
  if (i == 0) return syscall(SYS_fsync, fd);
  const char *path = i < 0 ? dir : files[i - 1].path;
  enter(call, path);
  if (i < 0) change_count = 0;
  else {
    struct stat found;
    if (fstat(fd, &found) != 0) die(path);
    files[i - 1].synced = found.st_size;
    int kept = 0;
    for (int n = 0; n < overwrite_count; n++) {
      if (overwrites[n].file == i - 1) free(overwrites[n].bytes);
      else overwrites[kept++] = overwrites[n];
    }
    overwrite_count = kept;
  }
  leave(call, path);
  return 0;
}

int fsync(int fd) { return sync_any("fsync", fd); }
int fdatasync(int fd) { return sync_any("fdatasync", fd); }

static int truncate_any(int fd, off_t length) {
  int i = file_at(fd) - 1;
  if (i < 0) return syscall(SYS_ftruncate, fd, length);
  enter("ftruncate", files[i].path);
  if (length < files[i].synced) files[i].synced = length;
  int done = syscall(SYS_ftruncate, fd, length);
  leave("ftruncate", files[i].path);
  return done;
}

int ftruncate(int fd, off_t length) { return truncate_any(fd, length); }
int ftruncate64(int fd, off_t length) { return truncate_any(fd, length); }

int rename(const char *from, const char *to) {
  if (!is_ours(from) && !is_ours(to))
    return syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
  enter("rename", to);
  struct change *change = note(RENAMED, from, to);
  save(change, to);
  int done = syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
  int i = find(from);
  if (i >= 0) snprintf(files[i].path, PATH_MAX, "%s", to);
  leave("rename", to);
  return done;
}

int unlink(const char *path) {
  if (!is_ours(path)) return syscall(SYS_unlinkat, AT_FDCWD, path, 0);
  enter("unlink", path);
  struct change *change = note(REMOVED, "", path);
  save(change, path);
  int done = syscall(SYS_unlinkat, AT_FDCWD, path, 0);
  leave("unlink", path);
  return done;
}
