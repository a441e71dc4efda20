/* SPDX-License-Identifier: MIT */
/*
 * What Linux's page table sources expect around them, for compiling them in user
 * space beside ours to measure them: types, bit helpers, atomics of x86-64, lists, and
 * the page allocator of the harness. Only what they use; typed from their use.
 *
 * Everything that costs time does what the kernel does on x86-64: READ_ONCE is one
 * load, try_cmpxchg a locked instruction, a page is zeroed when it is given.
 */
#ifndef SHIM_KERNEL_H
#define SHIM_KERNEL_H

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int32_t s32;
typedef int64_t s64;
typedef u8 __u8;
typedef u16 __u16;
typedef u32 __u32;
typedef u64 __u64;
typedef s32 __s32;
typedef s64 __s64;
typedef u16 __le16, __be16;
typedef u32 __le32, __be32;
typedef u64 __le64, __be64, __aligned_u64;
typedef u64 phys_addr_t, dma_addr_t, resource_size_t;
typedef unsigned int gfp_t, ioasid_t_;
typedef unsigned long pgoff_t, pgprot_t_, uintptr_t_;
typedef struct { int counter; } atomic_t;
typedef struct { int held; } spinlock_t;
typedef struct { int refs; } refcount_t;

#define __iomem
#define __user
#define __bitwise
#define __init
#define __exit
#define __percpu
#define __rcu
#define __force
#define __must_check
#define __maybe_unused __attribute__((unused))
#define __always_unused __attribute__((unused))
#define __always_inline inline __attribute__((always_inline))
#define noinline __attribute__((noinline))
#define __pure __attribute__((pure))
#define __attribute_const__ __attribute__((const))
#define __packed __attribute__((packed))
#define __aligned(n) __attribute__((aligned(n)))
#define __printf(a, b)
#define __counted_by(m)
#define __cold
#define fallthrough __attribute__((fallthrough))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define barrier() __asm__ volatile("" ::: "memory")
#define static_assert(c, ...) _Static_assert(c, #c)
#define __stringify_(...) #__VA_ARGS__
#define __UNIQUE_ID(p) p
#define ___PASTE(a, b) a##b
#define __PASTE(a, b) ___PASTE(a, b)
#define typecheck(t, x) 1
#define __same_type(a, b) __builtin_types_compatible_p(typeof(a), typeof(b))
#define __is_constexpr(x) __builtin_constant_p(x)
#define __native_word(t) 1
#define BUILD_BUG_ON(c) ((void)sizeof(char[1 - 2 * !!(0 && (c))]))
#define BUILD_BUG_ON_MSG(c, m) ((void)0)
#define BUILD_BUG_ON_ZERO(c) 0
#define BUILD_BUG_ON_NOT_POWER_OF_2(n) ((void)0)
#define __BUILD_BUG_ON_NOT_POWER_OF_2(n) ((void)0)
#define BUILD_BUG() ((void)0)
#define compiletime_assert(c, m) ((void)0)
#define __compiletime_error(m)
#define __compiletime_warning(m)
#define cpu_to_le64(x) ((__le64)(x))
#define le64_to_cpu(x) ((u64)(x))
#define cpu_to_le32(x) ((__le32)(x))
#define le32_to_cpu(x) ((u32)(x))
#define cpu_to_le16(x) ((__le16)(x))
#define le16_to_cpu(x) ((u16)(x))
#define cpu_to_be64(x) __builtin_bswap64(x)
#define be64_to_cpu(x) __builtin_bswap64(x)
#define cpu_to_be32(x) __builtin_bswap32(x)
#define be32_to_cpu(x) __builtin_bswap32(x)
#define cpu_to_be16(x) __builtin_bswap16(x)
#define be16_to_cpu(x) __builtin_bswap16(x)

/* configuration: what a distribution's x86-64 kernel has, and no debugging */
#define CONFIG_IOMMU_API 1
#define CONFIG_64BIT 1
#define CONFIG_SMP 1
#define CONFIG_PHYS_ADDR_T_64BIT 1
#define CONFIG_IOMMU_PT 1
#define CONFIG_X86 1
#define SHIM_ARG_1 0,
#define SHIM_SECOND(a, b, ...) b
#define SHIM_IS(x) SHIM_IS_(x)
#define SHIM_IS_(x) SHIM_IS__(SHIM_ARG_##x)
#define SHIM_IS__(x) SHIM_SECOND(x 1, 0, 0)
#define IS_ENABLED(c) SHIM_IS(c)
#define IS_BUILTIN(c) SHIM_IS(c)
#define IS_REACHABLE(c) SHIM_IS(c)
#define BITS_PER_LONG 64
#define BITS_PER_LONG_LONG 64
#define BITS_PER_BYTE 8
#define BITS_PER_TYPE(t) (sizeof(t) * 8)

#define U8_MAX UINT8_MAX
#define U32_MAX UINT32_MAX
#define U64_MAX UINT64_MAX
#define PHYS_ADDR_MAX UINT64_MAX
#define DMA_BIT_MASK(n) ((n) == 64 ? ~0ull : (1ull << (n)) - 1)
#define PAGE_SHIFT 12
#define PAGE_SIZE 4096ul
#define PAGE_MASK (~(PAGE_SIZE - 1))
#define NUMA_NO_NODE (-1)
#define ENOTSUPP 524
#define EPROBE_DEFER 517
#define MAX_ERRNO 4095
#define ERR_PTR(e) ((void *)(long)(e))
#define PTR_ERR(p) ((long)(p))
#define IS_ERR(p) ((unsigned long)(p) >= (unsigned long)-MAX_ERRNO)
#define IS_ERR_OR_NULL(p) (!(p) || IS_ERR(p))
#define IS_ERR_VALUE(x) ((unsigned long)(x) >= (unsigned long)-MAX_ERRNO)
#define ERR_CAST(p) ((void *)(p))

#define BIT(n) (1ul << (n))
#define BIT_ULL(n) (1ull << (n))
#define GENMASK(h, l) ((~0ul << (l)) & (~0ul >> (63 - (h))))
#define GENMASK_ULL(h, l) ((~0ull << (l)) & (~0ull >> (63 - (h))))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(p, t, m) ((t *)((char *)(p) - offsetof(t, m)))
#define ALIGN(x, a) (((x) + (typeof(x))(a) - 1) & ~((typeof(x))(a) - 1))
#define ALIGN_DOWN(x, a) ((x) & ~((typeof(x))(a) - 1))
#define IS_ALIGNED(x, a) (((x) & ((typeof(x))(a) - 1)) == 0)
#define round_up(x, a) ALIGN(x, a)
#define round_down(x, a) ALIGN_DOWN(x, a)
#define DIV_ROUND_UP(n, d) (((n) + (d) - 1) / (d))
#define min(a, b) ({ typeof(a) a_ = (a); typeof(b) b_ = (b); a_ < b_ ? a_ : b_; })
#define max(a, b) ({ typeof(a) a_ = (a); typeof(b) b_ = (b); a_ > b_ ? a_ : b_; })
#define min_t(t, a, b) min((t)(a), (t)(b))
#define max_t(t, a, b) max((t)(a), (t)(b))
#define umin(a, b) min((u64)(a), (u64)(b))
#define umax(a, b) max((u64)(a), (u64)(b))
#define _AC(x, y) x##y
#define memset_after(o, v, m) \
	memset((char *)(o) + offsetof(typeof(*(o)), m) + sizeof((o)->m), v, \
	       sizeof(*(o)) - offsetof(typeof(*(o)), m) - sizeof((o)->m))
#define swap(a, b) do { typeof(a) t_ = (a); (a) = (b); (b) = t_; } while (0)
#define lower_32_bits(x) ((u32)(x))
#define upper_32_bits(x) ((u32)((x) >> 32))
#define check_add_overflow(a, b, r) __builtin_add_overflow(a, b, r)
#define check_sub_overflow(a, b, r) __builtin_sub_overflow(a, b, r)
#define check_mul_overflow(a, b, r) __builtin_mul_overflow(a, b, r)

static inline unsigned int fls64(u64 x) { return x ? 64 - (unsigned)__builtin_clzll(x) : 0; }
static inline unsigned int fls(u32 x) { return x ? 32 - (unsigned)__builtin_clz(x) : 0; }
static inline unsigned long __fls(unsigned long x) { return 63 - (unsigned)__builtin_clzl(x); }
static inline unsigned long __ffs(unsigned long x) { return (unsigned)__builtin_ctzl(x); }
static inline unsigned int __ffs64(u64 x) { return (unsigned)__builtin_ctzll(x); }
static inline unsigned int ffs_(u32 x) { return (unsigned)__builtin_ffs((int)x); }
static inline unsigned int ffz(unsigned long x) { return (unsigned)__builtin_ctzl(~x); }
static inline unsigned int ilog2(u64 x) { return 63 - (unsigned)__builtin_clzll(x); }
static inline bool is_power_of_2(u64 x) { return x && !(x & (x - 1)); }
static inline int get_order(unsigned long s) { return s <= 4096 ? 0 : (int)ilog2(s - 1) - 11; }
static inline unsigned int hweight64(u64 x) { return (unsigned)__builtin_popcountll(x); }
#define hweight_long hweight64
#define order_base_2(n) ((n) > 1 ? ilog2((n) - 1) + 1 : 0)
#define roundup_pow_of_two(n) (1ul << order_base_2(n))

#define READ_ONCE(x) (*(const volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile typeof(x) *)&(x) = (v))
#define smp_mb() __asm__ volatile("lock; addl $0,-4(%%rsp)" ::: "memory")
#define smp_rmb() barrier()
#define smp_wmb() barrier()
#define mb() __asm__ volatile("mfence" ::: "memory")
#define wmb() barrier()		/* sfence changes nothing that can be measured */
#define rmb() barrier()
#define dma_wmb() barrier()
#define dma_rmb() barrier()
#define smp_load_acquire(p) ({ typeof(*(p)) v_ = READ_ONCE(*(p)); barrier(); v_; })
#define smp_store_release(p, v) do { barrier(); WRITE_ONCE(*(p), v); } while (0)
#define SHIM_CAS(p, o, n) \
	__atomic_compare_exchange_n(p, o, n, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
#define try_cmpxchg(p, o, n) SHIM_CAS(p, o, n)
#define try_cmpxchg_release(p, o, n) SHIM_CAS(p, o, n)
#define try_cmpxchg64(p, o, n) SHIM_CAS(p, o, n)
#define try_cmpxchg64_release(p, o, n) SHIM_CAS(p, o, n)
#define try_cmpxchg64_relaxed(p, o, n) SHIM_CAS(p, o, n)
#define cmpxchg64_relaxed(p, o, n) ({ typeof(*(p)) o_ = (o); SHIM_CAS(p, &o_, n); o_; })
#define cmpxchg64(p, o, n) cmpxchg64_relaxed(p, o, n)
#define cmpxchg(p, o, n) cmpxchg64_relaxed(p, o, n)

static inline void set_bit(long n, volatile unsigned long *p)
{
	__atomic_fetch_or(&((unsigned long *)p)[n / 64], 1ul << (n % 64), __ATOMIC_SEQ_CST);
}

static inline void clear_bit(long n, volatile unsigned long *p)
{
	__atomic_fetch_and(&((unsigned long *)p)[n / 64], ~(1ul << (n % 64)), __ATOMIC_SEQ_CST);
}

static inline bool test_bit(long n, const volatile unsigned long *p)
{
	return p[n / 64] >> (n % 64) & 1;
}
#define __set_bit set_bit
#define __clear_bit clear_bit
#define for_each_set_bit(b, p, n) \
	for ((b) = 0; (b) < (n); (b)++) if (test_bit(b, p))

#define WARN_ON(c) ({ bool w_ = !!(c); if (unlikely(w_)) abort(); w_; })
#define WARN_ON_ONCE(c) WARN_ON(c)
#define WARN(c, ...) WARN_ON(c)
#define WARN_ONCE(c, ...) WARN_ON(c)
#define BUG_ON(c) WARN_ON(c)
#define BUG() abort()
#define pr_err(...) ((void)0)
#define pr_err_ratelimited(...) ((void)0)
#define pr_warn(...) ((void)0)
#define dev_err(...) ((void)0)
#define dev_warn(...) ((void)0)
#define EXPORT_SYMBOL(s)
#define EXPORT_SYMBOL_GPL(s)
#define EXPORT_SYMBOL_NS_GPL(s, n)
#define MODULE_LICENSE(s)
#define MODULE_DESCRIPTION(s)
#define MODULE_IMPORT_NS(s)
#define lockdep_assert_held(l) ((void)0)
#define might_sleep() ((void)0)
#define spin_lock_irqsave(l, f) ((void)(f), (l)->held = 1)
#define spin_unlock_irqrestore(l, f) ((void)(f), (l)->held = 0)

/* rep stosq, as on x86-64 */
static inline void *memset64(u64 *p, u64 v, size_t n)
{
	u64 *q = p;

	__asm__ volatile("rep stosq" : "+D"(q), "+c"(n) : "a"(v) : "memory");
	return p;
}

struct iova_bitmap;
static inline void iova_bitmap_set(struct iova_bitmap *b, unsigned long iova, size_t len)
{
	abort();	/* nobody measures it */
}

/* ---- lists ---- */

struct list_head { struct list_head *next, *prev; };
#define LIST_HEAD_INIT(n) { &(n), &(n) }

static inline void INIT_LIST_HEAD(struct list_head *h)
{
	h->next = h->prev = h;
}

static inline bool list_empty(const struct list_head *h)
{
	return READ_ONCE(h->next) == h;
}

static inline void list_add_tail(struct list_head *n, struct list_head *h)
{
	struct list_head *last = h->prev;

	n->next = h;
	n->prev = last;
	h->prev = n;
	last->next = n;
}

static inline void list_splice(const struct list_head *from, struct list_head *to)
{
	if (list_empty(from))
		return;
	from->prev->next = to->next;
	to->next->prev = from->prev;
	to->next = from->next;
	from->next->prev = to;
}

/* ---- memory ---- */

#define GFP_KERNEL 0u
#define GFP_ATOMIC 1u
#define GFP_KERNEL_ACCOUNT 2u
#define __GFP_ZERO 4u
#define __GFP_HIGHMEM 8u
#define kfree(p) free(p)
#define kzalloc(n, g) calloc(1, n)
#define kmalloc(n, g) calloc(1, n)
#define kmalloc_obj(x, ...) ((typeof(x) *)calloc(1, sizeof(x)))
#define kzalloc_obj(x, ...) kmalloc_obj(x)
#define virt_to_phys(p) ((phys_addr_t)(uintptr_t)(p))
#define phys_to_virt(a) ((void *)(uintptr_t)(a))
#define __va(a) phys_to_virt(a)
#define __pa(p) virt_to_phys(p)
#define __sme_set(x) (x)
#define __sme_clr(x) (x)
#define sme_me_mask 0ull

struct folio { unsigned long words[8]; };	/* what a page's descriptor takes */
extern struct folio *pool_folios;
extern char *pool_base;
#define virt_to_folio(p) (&pool_folios[((char *)(p) - pool_base) >> PAGE_SHIFT])

struct dev_iommu;
struct device { struct dev_iommu *iommu; };
struct mutex { int held; };
struct work_struct { int pending; };
struct rcu_head { void *next; };
struct sg_table { struct scatterlist *sgl; unsigned int nents, orig_nents; };
#define dev_to_node(d) NUMA_NO_NODE
enum dma_data_direction { DMA_TO_DEVICE };
#define DMA_MAPPING_ERROR (~0ull)
#define dma_map_single(d, p, n, dir) virt_to_phys(p)
#define dma_mapping_error(d, a) 0
#define dma_unmap_single(d, a, n, dir) ((void)(a))
#define dma_sync_single_for_device(d, a, n, dir) ((void)(a))
#define clflush_cache_range(p, n) ((void)(p))

#endif
