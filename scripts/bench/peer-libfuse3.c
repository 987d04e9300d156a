/*
 * The peer that PlateFS's transport is measured against: one folder passed through by libfuse3's low-level
 * API. Files are opened by path and read with pread, written with pwrite; no descriptor is kept per inode.
 *
 *   peer-libfuse3 SOURCE MOUNTPOINT [threads] [splice]
 *
 * threads 1 (default): single-threaded loop; more: libfuse's own pool. splice: files are read by splice(2). Runs in the foreground until unmounted.
 * Inode numbers are indices into a table of paths, so a node is never forgotten: enough for a benchmark.
 */
#define FUSE_USE_VERSION 312
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <limits.h>
#include <pthread.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define CACHED_S 86400.0
#define MAX_WRITE_BYTES (1 << 20)

struct node {
  fuse_ino_t id;
  char *path;
};

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static struct node **nodes;
static size_t count, capacity;
static int splices;
static void *by_path;

static int compare(const void *a, const void *b) {
  return strcmp(((const struct node *)a)->path, ((const struct node *)b)->path);
}

static fuse_ino_t node_of(const char *path) {
  struct node key = {0, (char *)path};
  pthread_rwlock_rdlock(&lock);
  struct node **found = tfind(&key, &by_path, compare);
  fuse_ino_t id = found == NULL ? 0 : (*found)->id;
  pthread_rwlock_unlock(&lock);
  if (id != 0) return id;
  pthread_rwlock_wrlock(&lock);
  found = tfind(&key, &by_path, compare);
  if (found == NULL) {
    struct node *made = malloc(sizeof *made);
    if (count + 2 > capacity) nodes = realloc(nodes, (capacity = capacity * 2 + 1024) * sizeof *nodes);
    made->id = ++count;
    made->path = strdup(path);
    nodes[made->id] = made;
    tsearch(made, &by_path, compare);
    id = made->id;
  } else
    id = (*found)->id;
  pthread_rwlock_unlock(&lock);
  return id;
}

static const char *path_of(fuse_ino_t id) {
  pthread_rwlock_rdlock(&lock);
  const char *path = nodes[id]->path;
  pthread_rwlock_unlock(&lock);
  return path;
}

static int child_path(char *out, fuse_ino_t parent, const char *name) {
  return snprintf(out, PATH_MAX, "%s/%s", path_of(parent), name) < PATH_MAX ? 0 : ENAMETOOLONG;
}

static int entry_of(const char *path, struct fuse_entry_param *entry) {
  memset(entry, 0, sizeof *entry);
  entry->attr_timeout = entry->entry_timeout = CACHED_S;
  if (lstat(path, &entry->attr) != 0) return errno;
  entry->ino = node_of(path);
  entry->attr.st_ino = entry->ino;
  return 0;
}

static void on_init(void *data, struct fuse_conn_info *connection) {
  (void)data;
  connection->max_write = MAX_WRITE_BYTES;
  connection->want |= connection->capable & (FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_READDIRPLUS |
                                             FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_ASYNC_DIO);
  if (splices) connection->want |= connection->capable & FUSE_CAP_SPLICE_WRITE;
}

static void on_lookup(fuse_req_t request, fuse_ino_t parent, const char *name) {
  char path[PATH_MAX];
  struct fuse_entry_param entry;
  int error = child_path(path, parent, name);
  if (error == 0) error = entry_of(path, &entry);
  if (error == 0) fuse_reply_entry(request, &entry);
  else fuse_reply_err(request, error);
}

static void on_getattr(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *file) {
  struct stat attributes;
  (void)file;
  if (lstat(path_of(id), &attributes) != 0) fuse_reply_err(request, errno);
  else {
    attributes.st_ino = id;
    fuse_reply_attr(request, &attributes, CACHED_S);
  }
}

static void on_setattr(fuse_req_t request, fuse_ino_t id, struct stat *attributes, int set,
                       struct fuse_file_info *file) {
  if ((set & FUSE_SET_ATTR_SIZE) && truncate(path_of(id), attributes->st_size) != 0)
    fuse_reply_err(request, errno);
  else on_getattr(request, id, file);
}

static void on_open(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *file) {
  int fd = open(path_of(id), file->flags & ~O_NOFOLLOW);
  if (fd < 0) {
    fuse_reply_err(request, errno);
    return;
  }
  file->fh = fd;
  file->keep_cache = 1;
  fuse_reply_open(request, file);
}

static void on_create(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode,
                      struct fuse_file_info *file) {
  char path[PATH_MAX];
  struct fuse_entry_param entry;
  int error = child_path(path, parent, name);
  int fd = error == 0 ? open(path, file->flags | O_CREAT, mode) : -1;
  if (error == 0 && fd < 0) error = errno;
  if (error == 0) error = entry_of(path, &entry);
  if (error != 0) {
    if (fd >= 0) close(fd);
    fuse_reply_err(request, error);
    return;
  }
  file->fh = fd;
  fuse_reply_create(request, &entry, file);
}

static void on_release(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *file) {
  (void)id;
  close(file->fh);
  fuse_reply_err(request, 0);
}

static void on_read(fuse_req_t request, fuse_ino_t id, size_t size, off_t offset,
                    struct fuse_file_info *file) {
  static _Thread_local char *buffer;
  (void)id;
  if (splices) {
    struct fuse_bufvec data = FUSE_BUFVEC_INIT(size);
    data.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
    data.buf[0].fd = file->fh;
    data.buf[0].pos = offset;
    fuse_reply_data(request, &data, 0);
    return;
  }
  if (buffer == NULL) buffer = aligned_alloc(4096, MAX_WRITE_BYTES);
  ssize_t bytes = pread(file->fh, buffer, size < MAX_WRITE_BYTES ? size : MAX_WRITE_BYTES, offset);
  if (bytes < 0) fuse_reply_err(request, errno);
  else fuse_reply_buf(request, buffer, bytes);
}

static void on_write(fuse_req_t request, fuse_ino_t id, const char *data, size_t size, off_t offset,
                     struct fuse_file_info *file) {
  (void)id;
  ssize_t bytes = pwrite(file->fh, data, size, offset);
  if (bytes < 0) fuse_reply_err(request, errno);
  else fuse_reply_write(request, bytes);
}

static void on_unlink(fuse_req_t request, fuse_ino_t parent, const char *name) {
  char path[PATH_MAX];
  int error = child_path(path, parent, name);
  fuse_reply_err(request, error != 0 ? error : unlink(path) == 0 ? 0 : errno);
}

static void on_opendir(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *file) {
  DIR *directory = opendir(path_of(id));
  if (directory == NULL) {
    fuse_reply_err(request, errno);
    return;
  }
  file->fh = (uintptr_t)directory;
  file->cache_readdir = 1;
  fuse_reply_open(request, file);
}

static void list(fuse_req_t request, fuse_ino_t id, size_t size, off_t offset, struct fuse_file_info *file,
                 int plus) {
  DIR *directory = (DIR *)(uintptr_t)file->fh;
  char *buffer = malloc(size);
  size_t used = 0;
  seekdir(directory, offset);
  for (;;) {
    long here = telldir(directory);
    struct dirent *found = readdir(directory);
    struct fuse_entry_param entry;
    char path[PATH_MAX];
    if (found == NULL) break;
    int is_dot = strcmp(found->d_name, ".") == 0 || strcmp(found->d_name, "..") == 0;
    memset(&entry, 0, sizeof entry);
    entry.attr.st_mode = found->d_type << 12;
    entry.attr.st_ino = found->d_ino;
    if (plus && !is_dot && (child_path(path, id, found->d_name) != 0 || entry_of(path, &entry) != 0)) continue;
    size_t bytes = plus ? fuse_add_direntry_plus(request, buffer + used, size - used, found->d_name, &entry,
                                                 found->d_off)
                        : fuse_add_direntry(request, buffer + used, size - used, found->d_name, &entry.attr,
                                            found->d_off);
    if (bytes > size - used) {
      seekdir(directory, here);
      break;
    }
    used += bytes;
  }
  fuse_reply_buf(request, buffer, used);
  free(buffer);
}

static void on_readdir(fuse_req_t request, fuse_ino_t id, size_t size, off_t offset,
                       struct fuse_file_info *file) {
  list(request, id, size, offset, file, 0);
}

static void on_readdirplus(fuse_req_t request, fuse_ino_t id, size_t size, off_t offset,
                           struct fuse_file_info *file) {
  list(request, id, size, offset, file, 1);
}

static void on_releasedir(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *file) {
  (void)id;
  closedir((DIR *)(uintptr_t)file->fh);
  fuse_reply_err(request, 0);
}

static void on_statfs(fuse_req_t request, fuse_ino_t id) {
  struct statvfs facts;
  (void)id;
  if (statvfs(path_of(FUSE_ROOT_ID), &facts) != 0) fuse_reply_err(request, errno);
  else fuse_reply_statfs(request, &facts);
}

static const struct fuse_lowlevel_ops operations = {
    .init = on_init,
    .lookup = on_lookup,
    .getattr = on_getattr,
    .setattr = on_setattr,
    .open = on_open,
    .create = on_create,
    .release = on_release,
    .read = on_read,
    .write = on_write,
    .unlink = on_unlink,
    .opendir = on_opendir,
    .readdir = on_readdir,
    .readdirplus = on_readdirplus,
    .releasedir = on_releasedir,
    .statfs = on_statfs,
};

int main(int argc, char **argv) {
  char source[PATH_MAX];
  if (argc < 3 || realpath(argv[1], source) == NULL) {
    fprintf(stderr, "usage: %s SOURCE MOUNTPOINT [threads] [splice]\n", argv[0]);
    return 2;
  }
  int threads = argc > 3 ? atoi(argv[3]) : 1;
  splices = argc > 4 && strcmp(argv[4], "splice") == 0;
  umask(0);
  node_of(source);
  char *options[] = {argv[0], "-o", "fsname=peer-libfuse3,default_permissions"};
  struct fuse_args arguments = FUSE_ARGS_INIT(3, options);
  struct fuse_session *session = fuse_session_new(&arguments, &operations, sizeof operations, NULL);
  if (session == NULL || fuse_set_signal_handlers(session) != 0 || fuse_session_mount(session, argv[2]) != 0)
    return 1;
  int result;
  if (threads > 1) {
    struct fuse_loop_config *config = fuse_loop_cfg_create();
    fuse_loop_cfg_set_max_threads(config, threads);
    fuse_loop_cfg_set_idle_threads(config, threads);
    result = fuse_session_loop_mt(session, config);
    fuse_loop_cfg_destroy(config);
  } else
    result = fuse_session_loop(session);
  fuse_session_unmount(session);
  fuse_session_destroy(session);
  return result < 0;
}
